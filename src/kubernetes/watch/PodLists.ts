/** Lists of a parent's pods, one at a time. A caller that requests a list while one is in progress gets that one. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { pauseAfter } from "../../time/RetryPause.ts"
import { uptime } from "../../time/Uptime.ts"
import type { KubeError } from "../api/KubeError.ts"

/** Pauses between tries to list or to watch, in milliseconds. */
const pauses = { first: 50, longest: 5_000 } as const

/** Sleeps before the next try, after that many failures in a row. */
export const sleepAfter = (failures: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(pauseAfter(failures, pauses, random)))

/** Milliseconds between the beginnings of two lists, at least. */
const gap = 5_000

export class PodLists {
  private readonly once: Effect.Effect<void, KubeError>
  private readonly scope: Scope.Scope
  private readonly failed: (error: KubeError) => Effect.Effect<void>
  private flight: Fiber.Fiber<void> | undefined
  private beganAt = Number.NEGATIVE_INFINITY

  constructor(
    /** Takes one list. */
    once: Effect.Effect<void, KubeError>,
    scope: Scope.Scope,
    /** Runs after every failed try of a list but the first one. */
    failed: (error: KubeError) => Effect.Effect<void>
  ) {
    this.once = once
    this.scope = scope
    this.failed = failed
  }

  /** Takes the first list. Fails if the API server refuses it, and retries while there is no answer. */
  readonly first: Effect.Effect<void, KubeError> = Effect.suspend(() =>
    this.untilListed((error) => (error.retryable ? Effect.void : Effect.fail(error)))
  )

  /** Takes another list, at most one every 5 s, and retries until the API server answers. */
  readonly next: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const landed = Effect.sync(() => {
      this.flight = undefined
    })
    // A fiber of its own: the interruption of one caller must not end the list for the others.
    this.flight ??= yield* Effect.forkIn(Effect.ensuring(this.listInTurn, landed), this.scope)
    yield* Fiber.await(this.flight)
  })

  private get listInTurn(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const due = this.beganAt + gap - (yield* uptime)
      if (due > 0) yield* Effect.sleep(due)
      yield* this.untilListed(this.failed)
    })
  }

  /** Lists until there is an answer. `failed` runs after each failed try, and ends the tries by failing. */
  private untilListed<E>(failed: (error: KubeError) => Effect.Effect<void, E>): Effect.Effect<void, E> {
    return Effect.gen({ self: this }, function* () {
      for (let failures = 1; ; failures++) {
        this.beganAt = yield* uptime
        const isListed = yield* Effect.matchEffect(this.once, {
          onFailure: (error) => Effect.as(failed(error), false),
          onSuccess: () => Effect.succeed(true)
        })
        if (isListed) return
        yield* sleepAfter(failures)
      }
    })
  }
}
