/**
 * Delays the creation of pods while a quota is full. Then only one creation at a time tries again, after a pause, or as soon
 * as a pod of this parent is gone.
 *
 *   open ──refused──▶ shut ──a try succeeds──▶ open
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import { pauseAfter } from "../../time/RetryPause.ts"
import { uptime } from "../../time/Uptime.ts"

/** Pauses between tries while the quota is full, in milliseconds. */
const pauses = { first: 1_000, longest: 15_000 } as const

/** `nextAt`: uptime in milliseconds before which no try is made. */
type State = { readonly _tag: "Open" } | { readonly _tag: "Shut"; readonly failures: number; readonly nextAt: number }

export class QuotaGate {
  private readonly one = Semaphore.makeUnsafe(1)
  private state: State = { _tag: "Open" }
  private freed = Deferred.makeUnsafe<void>()

  /** Whether a quota has refused a pod, so that new attempts wait for the one that retries. */
  get isShut(): boolean {
    return this.state._tag === "Shut"
  }

  /** Starts the next attempt now, because a pod of this parent is gone and the quota may have room. */
  wake(): void {
    if (this.isShut) Deferred.doneUnsafe(this.freed, Effect.void)
  }

  /**
   * Runs an attempt to create a pod: at once while the gate is open, else alone and after a pause.
   *
   * `isRefused` tells by the result whether the quota is still full.
   */
  pass<A>(attempt: Effect.Effect<A>, isRefused: (result: A) => boolean): Effect.Effect<A> {
    return Effect.suspend(() =>
      this.isShut ? this.one.withPermits(1)(this.inTurn(attempt, isRefused)) : this.atOnce(attempt, isRefused)
    )
  }

  private inTurn<A>(attempt: Effect.Effect<A>, isRefused: (result: A) => boolean): Effect.Effect<A> {
    return Effect.gen({ self: this }, function* () {
      // An attempt that comes long after the last try need not wait.
      const left = this.state._tag === "Shut" ? this.state.nextAt - (yield* uptime) : 0
      if (left > 0) yield* Effect.raceFirst(Effect.sleep(left), Deferred.await(this.freed))
      this.freed = Deferred.makeUnsafe()
      const failures = this.state._tag === "Shut" ? this.state.failures : 0
      const result = yield* attempt
      if (isRefused(result)) yield* this.shut(failures + 1)
      else this.state = { _tag: "Open" }
      return result
    })
  }

  private atOnce<A>(attempt: Effect.Effect<A>, isRefused: (result: A) => boolean): Effect.Effect<A> {
    return Effect.gen({ self: this }, function* () {
      const result = yield* attempt
      // The first of several concurrent attempts that is refused shuts the gate.
      if (this.isShut || !isRefused(result)) return result
      yield* this.shut(1)
      this.freed = Deferred.makeUnsafe()
      return result
    })
  }

  private shut(failures: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const nextAt = (yield* uptime) + pauseAfter(failures, pauses, yield* Random.next)
      this.state = { _tag: "Shut", failures, nextAt }
    })
  }
}
