/** Leases one runner for all calls that an effect makes in its pool. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { FlameError, TimedOut } from "../../error/FlameError.ts"
import { LeaseTicket } from "../engine/LeaseTicket.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"
import { type LeasedRunner, Runner } from "./Runner.ts"

/** Runs an effect with one runner for the calls inside. */
export const during = <A, E, R>(
  engine: PoolEngine,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | FlameError, Exclude<R, Runner>> =>
  Effect.uninterruptibleMask((restore) => {
    let leased: LeasedRunner | undefined
    const acquire = lease(engine, (runner) => {
      leased = runner
    })
    return Effect.onExit(
      restore(
        Effect.flatMap(acquire, (runner) =>
          Effect.withFiber<A, E, R>((fiber) => {
            const outer = Context.getOrUndefined(fiber.context as Context.Context<Runner>, Runner)
            return Effect.provideService(effect, Runner, { ...runner, outer })
          })
        )
      ) as Effect.Effect<A, E | FlameError, Exclude<R, Runner>>,
      () => (leased === undefined ? Effect.void : release(engine, leased))
    )
  })

const lease = (
  engine: PoolEngine,
  granted: (runner: LeasedRunner) => void
): Effect.Effect<LeasedRunner, FlameError> => {
  const { pool } = engine
  const acquire = Effect.callback<LeasedRunner, FlameError>((resume) => {
    let isGivenUp = false
    const ticket = new LeaseTicket(
      ({ lease, runner: index }) => {
        const runner = engine.runners.get(index)
        // Granted in the step in which its fiber was interrupted.
        if (isGivenUp) return engine.step({ _tag: "LeaseClose", now: engine.now(), lease })
        const leased = { id: runner?.id ?? "?", pool, labels: runner?.labels ?? {}, lease, engine, outer: undefined }
        granted(leased)
        resume(Effect.succeed(leased))
      },
      (exit) => resume(exit)
    )
    engine.step({ _tag: "LeaseOpen", now: engine.now(), ticket })
    return Effect.sync(() => {
      isGivenUp = true
      engine.step({ _tag: "Withdraw", now: engine.now(), ticket })
    })
  })
  const { timeout } = engine.settings
  if (timeout === undefined) return acquire
  return Effect.timeoutOrElse(acquire, {
    duration: timeout,
    orElse: () =>
      Effect.fail(
        new FlameError({
          reason: new TimedOut({ pool, function: "withRunner", after: timeout, ...engine.whyWaiting })
        })
      )
  })
}

const release = (engine: PoolEngine, runner: LeasedRunner): Effect.Effect<void> =>
  Effect.sync(() => engine.step({ _tag: "LeaseClose", now: engine.now(), lease: runner.lease ?? -1 }))
