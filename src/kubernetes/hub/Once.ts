/**
 * An effect that runs once for all callers, whichever of them is interrupted. A failure goes to all callers that wait, and
 * the next caller runs the effect again.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export class Once<A, E> {
  /** The result; undefined before the effect has succeeded. */
  done: A | undefined
  private flight: Deferred.Deferred<A, E> | undefined
  private readonly effect: Effect.Effect<A, E>
  private readonly scope: Scope.Scope

  /** The scope owns the fiber that runs the effect: the caller that asks first may be interrupted. */
  constructor(effect: Effect.Effect<A, E>, scope: Scope.Scope) {
    this.effect = effect
    this.scope = scope
  }

  /** Discards the result: the next caller runs the effect again. Does nothing while the effect runs. */
  forget(): void {
    if (this.flight === undefined || !Deferred.isDoneUnsafe(this.flight)) return
    this.flight = undefined
    this.done = undefined
  }

  /** The result of the effect, which runs if no result is there and no run is under way. */
  get get(): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      if (this.flight !== undefined) return Deferred.await(this.flight)
      const flight = Deferred.makeUnsafe<A, E>()
      this.flight = flight
      return Effect.flatMap(Effect.forkIn(this.effect, this.scope), (fiber) => {
        // An observer, not a part of the effect: a fiber in a closed scope never starts.
        fiber.addObserver((exit) => {
          if (exit._tag === "Failure") this.flight = undefined
          else this.done = exit.value
          Deferred.doneUnsafe(flight, exit)
        })
        return Deferred.await(flight)
      })
    })
  }
}
