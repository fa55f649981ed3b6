/** Lists of a parent's pods, one after the other: whoever wants one meanwhile has that which is under way. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { KubeError } from "../api/KubeError.ts"

/** Pauses between tries to list or watch, in milliseconds: twice as long each time, with jitter, up to 5 s. */
export const firstPause = 50

const longestPause = 5_000

export const longerPause = (pause: number): number => Math.min(2 * pause, longestPause)

export const sleepPause = (pause: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(pause * (0.5 + 0.5 * random)))

/** The least time between the beginnings of two, in milliseconds. */
const gap = 5_000

export class PodLists {
  private readonly once: Effect.Effect<void, KubeError>
  private readonly scope: Scope.Scope
  private readonly complain: (error: KubeError) => void
  private flight: Fiber.Fiber<void> | undefined
  private beganAt = Number.NEGATIVE_INFINITY

  constructor(
    /** Takes one. */
    once: Effect.Effect<void, KubeError>,
    scope: Scope.Scope,
    /** Told what time alone will not mend. */
    complain: (error: KubeError) => void
  ) {
    this.once = once
    this.scope = scope
    this.complain = complain
  }

  /** The first; where the API server says no, that is final. */
  readonly first: Effect.Effect<void, KubeError> = Effect.suspend(() => this.until(Effect.fail))

  /** Another one, at most every 5 s; done when it was told. Never fails: it goes on until the API server answers. */
  readonly next: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const landed = Effect.sync(() => {
      this.flight = undefined
    })
    // a fiber of its own: who no longer waits for the list does not end it for the others
    this.flight ??= yield* Effect.forkIn(Effect.ensuring(this.inTurn, landed), this.scope)
    yield* Fiber.await(this.flight)
  })

  private get inTurn(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const due = this.beganAt + gap - (yield* Clock.currentTimeMillis)
      if (due > 0) yield* Effect.sleep(due)
      yield* this.until((error) => Effect.sync(() => this.complain(error)))
    })
  }

  /** Lists until there is an answer; what is not retryable goes through `refused` first. */
  private until<E>(refused: (error: KubeError) => Effect.Effect<void, E>): Effect.Effect<void, E> {
    return Effect.gen({ self: this }, function* () {
      let pause = firstPause
      for (;;) {
        this.beganAt = yield* Clock.currentTimeMillis
        const error = yield* Effect.matchEffect(this.once, {
          onFailure: (error) => Effect.as(error.retryable ? Effect.void : refused(error), error),
          onSuccess: () => Effect.undefined
        })
        if (error === undefined) return
        yield* sleepPause(pause)
        pause = longerPause(pause)
      }
    })
  }
}
