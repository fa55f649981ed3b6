/**
 * The time of a pool, and its one timer: a fiber that sleeps until the earliest deadline.
 *
 * The fiber is not interrupted when its deadline is cancelled, because most calls end long before their budget. When the
 * fiber wakes, it looks for due deadlines and sleeps again.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Unhandled from "../../error/Unhandled.ts"
import type { Due } from "./Call.ts"
import { Deadlines } from "../policy/Deadlines.ts"

/** The policy, whose alarms the timer serves too. */
export interface Waker {
  readonly wakeAt: () => number | undefined
  readonly wake: (now: number) => void
}

export class PoolTimer {
  /** Whether this is the real clock, and not the clock of a test. */
  readonly isLive: boolean
  private readonly clock: Clock.Clock
  private readonly context: Context.Context<never>
  private readonly waker: Waker
  private readonly deadlines = new Deadlines<Due>()
  private fiber: Fiber.Fiber<void> | undefined
  private at = Infinity

  constructor(clock: Clock.Clock, context: Context.Context<never>, waker: Waker) {
    this.clock = clock
    this.context = context
    this.waker = waker
    this.isLive = Object.getPrototypeOf(clock) === Object.getPrototypeOf(Clock.Clock.defaultValue())
  }

  /** Milliseconds of a clock that is not affected by changes of the wall clock. */
  now(): number {
    return this.isLive ? performance.now() : Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** Runs `f` after some milliseconds, unless the timer is disposed of by then. */
  after(millis: number, f: () => void): Due {
    const due: Due = { at: 0, heapIndex: -1, due: f }
    this.schedule(due, this.now() + millis)
    return due
  }

  /** Sets a deadline. Replaces its former time. */
  schedule(due: Due, at: number): void {
    if (due.heapIndex >= 0) this.deadlines.remove(due)
    due.at = at
    this.deadlines.insert(due)
    if (at < this.at) this.arm(at)
  }

  cancel(due: Due): void {
    this.deadlines.remove(due)
  }

  /**
   * Judges a runner after the frames that have already arrived are read. After a long computation the parent's timers are
   * due before the answers that came in time.
   */
  afterReading(judge: () => void): void {
    if (this.isLive) setImmediate(judge)
    else judge()
  }

  /** Wakes earlier if the next alarm of the policy has become earlier. */
  rearm(wake: number | undefined): void {
    if (wake !== undefined && wake < this.at) this.arm(wake)
  }

  /** Ends the timer. No deadline fires any more. */
  dispose(): void {
    this.fiber?.interruptUnsafe()
    this.at = -Infinity
  }

  private arm(at: number): void {
    this.at = at
    this.fiber?.interruptUnsafe()
    const millis = Math.ceil(at - this.now())
    // Fires overdue deadlines in the next turn: under TestClock `sleep(0)` would re-enter the engine during `submit`.
    const sleep = millis > 0 ? this.clock.sleep(Duration.millis(millis)) : Effect.yieldNow
    this.fiber = Effect.runForkWith(this.context)(Effect.flatMap(sleep, () => Effect.sync(() => this.ring())))
  }

  private ring(): void {
    this.fiber = undefined
    this.at = Infinity
    const now = this.now()
    for (let due = this.deadlines.takeDue(now); due !== undefined; due = this.deadlines.takeDue(now)) {
      try {
        due.due(now)
      } catch (error) {
        // The fiber must go on to the other due deadlines, and to the next sleep.
        Unhandled.report(error)
      }
    }
    const wake = this.waker.wakeAt()
    if (wake !== undefined && wake <= now) Unhandled.confine(() => this.waker.wake(now))
    const next = Math.min(this.deadlines.first()?.at ?? Infinity, this.waker.wakeAt() ?? Infinity)
    if (next < this.at) this.arm(next)
  }
}
