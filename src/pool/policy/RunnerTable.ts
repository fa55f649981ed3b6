/**
 * The runners that exist, in their phases, and the sums over them that decisions need.
 *
 *     Boot -> booting --Ready-> ready --recycled, consolidated-> retiring
 *                |                ^                                 | its last call and lease ended
 *                |                +----(consolidated) called back --+
 *                |                |                                 v
 *                |                +--idle, announced, stuck---> draining
 *            BootFailed           |                                 |
 *                v                v                                 v
 *               lost <----------------------Lost--------------------+        and from anywhere: Gone
 */
import type { Deadline } from "./Deadlines.ts"
import { Lending } from "./Lending.ts"
import { type Listed, FreeSlots } from "./FreeSlots.ts"
import type { DrainReason, Options } from "./Step.ts"
import type { Slot } from "./Ticket.ts"
import type { WaitQueue } from "./WaitQueue.ts"

/**
 * `ready`: takes calls. `retiring`: takes only calls of its open leases, and is told to go after the last.
 * `draining`: takes none. Both take nested calls on the slots of their suspended calls. `lost`: has no slots any more.
 *
 * Runners in all phases exist and count in `max`.
 */
export type Phase = "booting" | "ready" | "retiring" | "draining" | "lost"

/** An alarm of the pool or of one runner, due at a time. */
export interface Alarm extends Deadline {
  readonly kind: "backoff" | "patience" | "sharing" | "window" | "rest" | "idle" | "lifetime"
  readonly runner: RunnerEntry | undefined
}

/** The policy's entry of one runner. */
export interface RunnerEntry extends Listed<RunnerEntry> {
  readonly index: number
  /** `Backoff.epoch` when its boot began. */
  readonly epoch: number
  /** The time when its boot started. */
  readonly bootedAt: number
  phase: Phase
  /** The reason why it retires. */
  why: DrainReason | undefined
  responsive: boolean
  /** Slots in use. A call on a borrowed slot uses none. */
  used: number
  /** Slots that any call may get. 0 unless the runner is ready and responsive. */
  free: number
  /** The number of its calls so far, without nested ones. */
  calls: number
  /** Open leases. */
  leases: number
  /** Waiting calls that must run on this runner. */
  pinned: WaitQueue | undefined
  /** Its slots that were lent, or may be lent. */
  slots: Set<Slot> | undefined
  /** Whether it handed back a nested call, and so gets none any more. A runner does so when its own calls have ended. */
  isShut: boolean
  readyAt: number
  /** Whether it has completed a call. */
  isProven: boolean
  /** Whether it ended so soon after it was ready that it counts as a failed boot. */
  endedEarly: boolean
  /** Whether a suspect runs on it, which shares the runner with no other call. */
  isAlone: boolean
  /**
   * The time when it became ready, or last answered that it is not idle. Consolidation ignores it for a window from
   * then on.
   */
  keptAt: number
  idleSince: number
  /** `asked`: the answer to AskIdle is awaited. `void`: the runner got work since, so the answer does not count. */
  asked: "no" | "asked" | "void"
  readonly idle: Alarm
  readonly lifetime: Alarm
}

const makeEntry = (index: number, epoch: number, bootedAt: number): RunnerEntry => {
  const entry: { -readonly [K in keyof RunnerEntry]: RunnerEntry[K] } = {
    index,
    epoch,
    bootedAt,
    phase: "booting",
    why: undefined,
    responsive: true,
    used: 0,
    free: 0,
    calls: 0,
    leases: 0,
    pinned: undefined,
    slots: undefined,
    isShut: false,
    readyAt: 0,
    isProven: false,
    endedEarly: false,
    isAlone: false,
    keptAt: 0,
    idleSince: 0,
    asked: "no",
    idle: undefined as unknown as Alarm,
    lifetime: undefined as unknown as Alarm,
    level: -1,
    before: undefined,
    after: undefined
  }
  entry.idle = { kind: "idle", runner: entry, at: 0, heapIndex: -1 }
  entry.lifetime = { kind: "lifetime", runner: entry, at: 0, heapIndex: -1 }
  return entry
}

/** All runners of a pool by index. An index is never reused, so that a late event cannot reach a successor. */
export class RunnerTable {
  readonly all = new Map<number, RunnerEntry>()
  /** Runners that retire because fewer would do. They are taken back before another runner boots. */
  readonly consolidating = new Set<RunnerEntry>()
  /** Runners that retire once their leases end, with a free slot until then. */
  readonly reserved = new Set<RunnerEntry>()
  /** Runners whose boot waits for a node. */
  readonly unscheduled = new Set<RunnerEntry>()
  freeSlots!: FreeSlots<RunnerEntry>
  readonly lending = new Lending()
  booting = 0
  ready = 0
  /** Runners on which a suspect runs alone. */
  alone = 0
  /** Runners whose session is over, and which are not removed yet. */
  lost = 0
  /** Ready runners that are unresponsive. */
  mute = 0
  /** Slots in use on all runners, and slots that all runners offer. */
  used = 0
  free = 0
  private nextIndex = 0
  private concurrency = 0
  private maxCalls = 0

  constructor(options: Options) {
    this.limit(options)
  }

  /** Runners that serve, or boot. */
  get live(): number {
    return this.booting + this.ready
  }

  /** Calls that wait for nested calls. */
  get suspended(): number {
    return this.lending.suspended
  }

  /** The number of calls that a new runner can take at once. */
  get width(): number {
    return Math.min(this.concurrency, this.maxCalls)
  }

  /** Sets the limits of a runner. O(n log n). */
  limit(options: Options): void {
    this.concurrency = options.concurrency
    this.maxCalls = options.maxCalls ?? Infinity
    this.freeSlots = new FreeSlots(options.strategy, options.concurrency)
    for (const runner of this.all.values()) {
      runner.level = -1
      runner.before = undefined
      runner.after = undefined
    }
    // Runners used last are inserted last, so that they come first. Among unused runners the first booted comes first.
    const byUse = [...this.all.values()].sort((a, b) => a.idleSince - b.idleSince || b.index - a.index)
    for (const runner of byUse) this.reseat(runner)
  }

  boot(epoch: number, now: number): RunnerEntry {
    const runner = makeEntry(this.nextIndex++, epoch, now)
    this.all.set(runner.index, runner)
    this.booting++
    return runner
  }

  remove(runner: RunnerEntry): void {
    this.enter(runner, "lost")
    this.lost--
    this.all.delete(runner.index)
  }

  enter(runner: RunnerEntry, phase: Phase): void {
    this.count(runner, -1)
    runner.phase = phase
    this.count(runner, 1)
    if (phase !== "retiring") this.consolidating.delete(runner)
    if (phase !== "booting") this.unscheduled.delete(runner)
    if (phase === "lost") {
      this.used -= runner.used
      runner.used = 0
      if (runner.isAlone) this.isolate(runner, false)
    }
    this.lending.review(runner)
    this.reseat(runner)
  }

  unschedule(runner: RunnerEntry): void {
    if (runner.phase === "booting") this.unscheduled.add(runner)
  }

  respond(runner: RunnerEntry, responsive: boolean): void {
    this.count(runner, -1)
    runner.responsive = responsive
    this.count(runner, 1)
    this.lending.review(runner)
    this.reseat(runner)
  }

  /** Reserves a runner for one suspect, or opens it to all calls again. */
  isolate(runner: RunnerEntry, isAlone: boolean): void {
    runner.isAlone = isAlone
    this.alone += isAlone ? 1 : -1
    this.reseat(runner)
  }

  /** Takes (1) or frees (-1) a slot of a runner. */
  occupy(runner: RunnerEntry, slots: 1 | -1): void {
    runner.used += slots
    this.used += slots
    this.reseat(runner)
  }

  /** Moves a runner to the list for its phase, calls and leases, as the one used last. */
  reseat(runner: RunnerEntry): void {
    const offers = runner.phase === "ready" && runner.responsive && !runner.isAlone
    const free = offers ? Math.max(0, Math.min(this.concurrency - runner.used, this.maxCalls - runner.calls)) : 0
    this.free += free - runner.free
    runner.free = free
    if (runner.phase === "retiring") this.reserve(runner)
    else if (this.reserved.size > 0) this.reserved.delete(runner)
    this.freeSlots.move(runner, free === 0 ? -1 : this.loadOf(runner))
  }

  /** Moves a ready runner that never had a call behind all runners with the same load. */
  seatLast(runner: RunnerEntry): void {
    if (runner.free > 0) this.freeSlots.moveLast(runner, this.loadOf(runner))
  }

  private reserve(runner: RunnerEntry): void {
    if (runner.leases > 0 && runner.responsive && runner.used < this.concurrency) this.reserved.add(runner)
    else this.reserved.delete(runner)
  }

  private loadOf(runner: RunnerEntry): number {
    return Math.min(runner.used + runner.leases, this.concurrency)
  }

  private count(runner: RunnerEntry, by: 1 | -1): void {
    if (runner.phase === "booting") this.booting += by
    else if (runner.phase === "ready") {
      this.ready += by
      if (!runner.responsive) this.mute += by
    } else if (runner.phase === "lost") this.lost += by
  }
}
