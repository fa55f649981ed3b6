/**
 * Pods that a quota refuses: one of them tries again from time to time for all of them, sooner when something of ours went.
 *
 *   open ──refused──▶ shut ──a try succeeds──▶ open
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

/** Pauses between tries while the quota is full, in milliseconds: they double from the first to the last. */
const pauses = { first: 1_000, last: 15_000 } as const

export class QuotaGate {
  private readonly one = Semaphore.makeUnsafe(1)
  private isShut = false
  private pause: number = pauses.first
  private freed = Deferred.makeUnsafe<void>()

  /** A quota has refused a pod: whoever comes from now on waits for the one that tries. */
  shut(): void {
    if (this.isShut) return
    this.isShut = true
    this.pause = pauses.first
    this.freed = Deferred.makeUnsafe()
  }

  /** Something of ours is gone: there may be room. */
  wake(): void {
    if (this.isShut) Deferred.doneUnsafe(this.freed, Effect.void)
  }

  /**
   * Runs a try to create a pod when it is its turn: at once while nothing is refused, else alone and after a pause.
   *
   * `isRefused` tells whether its result says that the quota is still full.
   */
  pass<A>(attempt: Effect.Effect<A>, isRefused: (result: A) => boolean): Effect.Effect<A> {
    const guarded = Effect.gen({ self: this }, function* () {
      if (this.isShut) {
        yield* Effect.raceFirst(Effect.sleep(this.pause), Deferred.await(this.freed))
        this.freed = Deferred.makeUnsafe()
        this.pause = Math.min(pauses.last, this.pause * 2)
      }
      const result = yield* attempt
      if (isRefused(result)) this.shut()
      else this.isShut = false
      return result
    })
    return Effect.suspend(() =>
      this.isShut
        ? this.one.withPermits(1)(guarded)
        : Effect.tap(attempt, (result) => Effect.sync(() => isRefused(result) && this.shut()))
    )
  }
}
