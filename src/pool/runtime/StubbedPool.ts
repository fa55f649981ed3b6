/** Pools of `FlameLayer.mock` and `FlameLayer.test`: real pools, whose callers get the FlameErrors that stubs fail with. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Backend } from "../../backend/Backend.ts"
import type { FlameError } from "../../error/FlameError.ts"
import { failureOf } from "../../function/Stub.ts"
import type { PoolOptions } from "../option/PoolOptions.ts"
import * as PoolLayer from "./PoolLayer.ts"
import type { PoolShape } from "./PoolShape.ts"

/** The layer of a pool on the backend of a test. */
export const layer = <Self, RHooks>(
  key: Context.Key<Self, PoolShape>,
  options: PoolOptions<RHooks>
): Layer.Layer<Self, FlameError, Backend | RHooks> =>
  Layer.effect(key, Effect.map(PoolLayer.make(key.key, options), stubbed))

const stubbed = (pool: PoolShape): PoolShape => ({
  ...pool,
  call: (caller, fn, payload, timeout) => {
    const result = failing(pool.call(caller, fn, payload, timeout))
    // The result of a streaming function is a Pull, which fails after its items.
    return fn.stream ? Effect.map(result, (pull) => failing(pull as Effect.Effect<unknown, unknown>)) : result
  }
})

const failing = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | FlameError, R> =>
  Effect.catchCause(effect, (cause): Effect.Effect<never, E | FlameError> => {
    const error = cause.reasons.map((reason) => Cause.isDieReason(reason) && failureOf(reason.defect)).find(Boolean)
    return error ? Effect.fail(error) : Effect.failCause(cause)
  })
