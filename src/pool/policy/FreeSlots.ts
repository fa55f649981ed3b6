/**
 * Chooses the runner of the next call, by `strategy` and load.
 *
 * Runners with a free slot are in lists by load, so that the least busy and the fullest runner are found without a search.
 * Load is calls plus open leases: a lease holds no slot, but its calls will come. Among runners of one load the runner used
 * last comes first. Surplus runners so become idle instead of taking turns.
 */

/** The links of a runner in the lists. Only `FreeSlots` writes them. */
export interface Listed<R> {
  /** The list of the runner, or -1 if it is in none. */
  level: number
  before: R | undefined
  after: R | undefined
}

/**
 * Lists of runners by load, from 0 to `concurrency`. The last list holds the runners whose free slots are promised to
 * leases.
 */
export class FreeSlots<R extends Listed<R>> {
  private readonly strategy: "spread" | "pack"
  private readonly concurrency: number
  private readonly heads: Array<R | undefined>
  private readonly tails: Array<R | undefined>
  // A bit for each list below the last that holds a runner, 32 to a word.
  private readonly filled: Array<number>

  constructor(strategy: "spread" | "pack", concurrency: number) {
    this.strategy = strategy
    this.concurrency = concurrency
    this.heads = new Array<R | undefined>(concurrency + 1).fill(undefined)
    this.tails = this.heads.slice()
    this.filled = new Array<number>((concurrency >> 5) + 1).fill(0)
  }

  /** The runner that gets the next call. A runner whose free slots are promised to leases is taken last. */
  pick(): R | undefined {
    return this.roomy() ?? this.heads[this.concurrency]
  }

  /** The runner that gets the next lease, if some runner has a free slot for it. */
  roomy(): R | undefined {
    const level = this.strategy === "spread" ? this.lowest() : this.highest()
    return level < 0 ? undefined : this.heads[level]
  }

  /** The runner that gets the next lease if leases must share runners: each runner in turn. */
  crowded(): R | undefined {
    return this.tails[this.concurrency]
  }

  /** A runner without any call or lease. */
  empty(): R | undefined {
    return this.heads[0]
  }

  /** Moves a runner to the list of its load, as the one used last, or out of all with -1. */
  move(runner: R, level: number): void {
    if (runner.level >= 0) this.unlink(runner)
    runner.level = level
    if (level < 0) return
    const head = this.heads[level]
    runner.after = head
    if (head === undefined) this.tails[level] = runner
    else head.before = runner
    this.heads[level] = runner
    this.mark(level)
  }

  /** Moves a runner to the list of its load, as the one used least recently. */
  moveLast(runner: R, level: number): void {
    if (runner.level >= 0) this.unlink(runner)
    runner.level = level
    const tail = this.tails[level]
    runner.before = tail
    if (tail === undefined) this.heads[level] = runner
    else tail.after = runner
    this.tails[level] = runner
    this.mark(level)
  }

  /** The first `count` that satisfy the predicate, emptiest first, among equals the one used least recently. */
  emptiest(count: number, predicate: (runner: R) => boolean): Array<R> {
    const found: Array<R> = []
    for (let level = 0; level <= this.concurrency; level++) {
      for (let runner = this.tails[level]; runner !== undefined && found.length < count; runner = runner.before) {
        if (predicate(runner)) found.push(runner)
      }
    }
    return found
  }

  private lowest(): number {
    for (let word = 0; word < this.filled.length; word++) {
      const bits = this.filled[word] as number
      if (bits !== 0) return (word << 5) + 31 - Math.clz32(bits & -bits)
    }
    return -1
  }

  private highest(): number {
    for (let word = this.filled.length - 1; word >= 0; word--) {
      const bits = this.filled[word] as number
      if (bits !== 0) return (word << 5) + 31 - Math.clz32(bits)
    }
    return -1
  }

  private mark(level: number): void {
    if (level < this.concurrency) this.filled[level >> 5] = (this.filled[level >> 5] as number) | (1 << level)
  }

  private unlink(runner: R): void {
    if (runner.before === undefined) this.heads[runner.level] = runner.after
    else runner.before.after = runner.after
    if (runner.after === undefined) this.tails[runner.level] = runner.before
    else runner.after.before = runner.before
    const level = runner.level
    if (this.heads[level] === undefined && level < this.concurrency) {
      this.filled[level >> 5] = (this.filled[level >> 5] as number) & ~(1 << level)
    }
    runner.before = undefined
    runner.after = undefined
    runner.level = -1
  }
}
