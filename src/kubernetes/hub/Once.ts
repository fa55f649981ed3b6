/** Something that is done once for all who need it, whoever of them is interrupted; a failure is told to all, and tried again by the next. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export class Once<A, E> {
  /** What came of it, once it has. */
  done: A | undefined
  private flight: Deferred.Deferred<A, E> | undefined
  private readonly effect: Effect.Effect<A, E>
  private readonly scope: Scope.Scope

  /** The work belongs to the scope, not to the fiber that asks first. */
  constructor(effect: Effect.Effect<A, E>, scope: Scope.Scope) {
    this.effect = effect
    this.scope = scope
  }

  /** What came of it holds no more: the next who needs it has it done again. */
  forget(): void {
    if (this.flight === undefined || !Deferred.isDoneUnsafe(this.flight)) return
    this.flight = undefined
    this.done = undefined
  }

  get get(): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      if (this.flight !== undefined) return Deferred.await(this.flight)
      const flight = Deferred.makeUnsafe<A, E>()
      this.flight = flight
      return Effect.flatMap(Effect.forkIn(this.effect, this.scope), (fiber) => {
        // not as a part of the work, which is never begun where its scope has ended
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
