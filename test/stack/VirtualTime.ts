/**
 * The clock and the scheduler of one run of the simulation, which control everything that happens.
 *
 * `settle` runs everything that needs no time to pass. `advance` lets time pass, from one sleeper to the next, and
 * settles after each. So a run takes no real time, and the same schedule always takes the same course.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { type Duration, toMillis } from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"

interface Sleeper {
  readonly at: number
  /** Sleepers of one time wake in the order in which they started to sleep. */
  readonly order: number
  readonly wake: () => void
}

/** The number of rounds after which `settle` reports an endless loop of the program under test. */
const roundLimit = 3_000

/** Completes once every microtask of this turn has run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export class VirtualTime {
  /** Milliseconds since the run began. */
  now = 0
  private order = 0
  private tasks: Array<() => void> = []
  private readonly sleepers = new Set<Sleeper>()

  /** The number of sleeping fibers. */
  get asleep(): number {
    return this.sleepers.size
  }

  /** The services that make a program use this time. */
  get context(): Context.Context<never> {
    const scheduler = new Scheduler.MixedScheduler("async", (task) => {
      this.tasks.push(task)
      return () => {
        this.tasks = this.tasks.filter((other) => other !== task)
      }
    })
    return Context.make(Clock.Clock, this.clock).pipe(Context.add(Scheduler.Scheduler, scheduler))
  }

  /** Runs everything that can run now. */
  async settle(): Promise<void> {
    for (let round = 0; round < roundLimit; round++) {
      await turn()
      if (this.tasks.length === 0) return
      for (const task of this.tasks.splice(0)) task()
    }
    throw new Error(`the program still runs after ${roundLimit} rounds in which no time has passed`)
  }

  /** Advances the time by that many milliseconds. */
  async advance(duration: number): Promise<void> {
    const until = this.now + duration
    await this.settle()
    for (let next = this.first(); next !== undefined && next.at <= until; next = this.first()) {
      this.now = Math.max(this.now, next.at)
      this.sleepers.delete(next)
      next.wake()
      await this.settle()
    }
    this.now = until
  }

  /** Calls `wake` after that many milliseconds. The returned function cancels it. */
  after(duration: number, wake: () => void): () => void {
    const sleeper: Sleeper = { at: this.now + Math.max(0, duration), order: this.order++, wake }
    this.sleepers.add(sleeper)
    return () => void this.sleepers.delete(sleeper)
  }

  private first(): Sleeper | undefined {
    let first: Sleeper | undefined
    for (const sleeper of this.sleepers) {
      if (first === undefined || sleeper.at < first.at || (sleeper.at === first.at && sleeper.order < first.order))
        first = sleeper
    }
    return first
  }

  private readonly clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => this.now,
    currentTimeMillis: Effect.sync(() => this.now),
    currentTimeNanosUnsafe: () => BigInt(Math.round(this.now * 1e6)),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(this.now * 1e6))),
    monotonicTimeNanosUnsafe: () => BigInt(Math.round(this.now * 1e6)),
    monotonicTimeNanos: Effect.sync(() => BigInt(Math.round(this.now * 1e6))),
    sleep: (duration: Duration) => {
      const time = toMillis(duration)
      if (time <= 0) return Effect.yieldNow
      if (time === Infinity) return Effect.never
      return Effect.callback<void>((resume) => {
        const forget = this.after(time, () => resume(Effect.void))
        return Effect.sync(forget)
      })
    }
  }
}
