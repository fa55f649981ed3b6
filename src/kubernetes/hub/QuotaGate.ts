/**
 * Pods that a quota refuses: one of them tries again from time to time for all of them, sooner when something of ours went.
 *
 *   open ──refused──▶ shut ──a try succeeds──▶ open
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

/** Pauses between tries while the quota is full, in milliseconds: they double from the first to the last. */
const pauses = { first: 1_000, last: 15_000 } as const

export class QuotaGate {
  private readonly one = Semaphore.makeUnsafe(1)
  private isFull = false
  private pause: number = pauses.first
  private refusedAt = 0
  private freed = Deferred.makeUnsafe<void>()

  /** Whether a quota has refused a pod: who comes from now on waits for the one that tries. */
  get isShut(): boolean {
    return this.isFull
  }

  /** Something of ours is gone: there may be room. */
  wake(): void {
    if (this.isFull) Deferred.doneUnsafe(this.freed, Effect.void)
  }

  /**
   * Runs a try to create a pod when it is its turn: at once while nothing is refused, else alone and after a pause.
   *
   * `isRefused` tells whether its result says that the quota is still full.
   */
  pass<A>(attempt: Effect.Effect<A>, isRefused: (result: A) => boolean): Effect.Effect<A> {
    const guarded = Effect.gen({ self: this }, function* () {
      // who comes long after the last try need not wait, whatever became of who made it
      const left = this.isFull ? this.refusedAt + this.pause - (yield* Clock.currentTimeMillis) : 0
      if (left > 0) yield* Effect.raceFirst(Effect.sleep(left), Deferred.await(this.freed))
      this.freed = Deferred.makeUnsafe()
      const wasFull = this.isFull
      const result = yield* attempt
      this.isFull = isRefused(result)
      if (!this.isFull) return result
      this.refusedAt = yield* Clock.currentTimeMillis
      this.pause = wasFull ? Math.min(pauses.last, this.pause * 2) : pauses.first
      return result
    })
    const open = Effect.gen({ self: this }, function* () {
      const result = yield* attempt
      // of those that were under way together the first shuts it
      if (this.isFull || !isRefused(result)) return result
      this.isFull = true
      this.refusedAt = yield* Clock.currentTimeMillis
      this.pause = pauses.first
      this.freed = Deferred.makeUnsafe()
      return result
    })
    return Effect.suspend(() => (this.isFull ? this.one.withPermits(1)(guarded) : open))
  }
}
