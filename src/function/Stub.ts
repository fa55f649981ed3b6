/** A function with other code for a test, which may also fail as a pool does. */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { FlameError, RemoteDefect } from "../error/FlameError.ts"
import * as FlameFunction from "./FlameFunction.ts"

/** The result of a stub's code: as the function's own code, and it may fail with a `FlameError` besides. */
export type StubCode<St extends boolean, S extends Schema.Top, E extends Schema.Top, R> = [St] extends [true]
  ?
      | Stream.Stream<S["Type"], E["Type"] | FlameError, R>
      | Effect.Effect<Stream.Stream<S["Type"], E["Type"] | FlameError, R>, E["Type"] | FlameError, R>
  : Effect.Effect<FlameFunction.Given<S>, E["Type"] | FlameError, R>

/**
 * The FlameErrors that stubs failed with and that no caller has got yet, by the message of the defect that stands for each.
 *
 * A function's own codec carries its own errors only. So a stub dies with a message, and the pool of `FlameLayer.mock`
 * fails the caller with the error that the message stands for.
 */
const failures = new Map<string, FlameError>()
let count = 0

const asDefect = (error: FlameError): Effect.Effect<never> => {
  const message = `${error.message} (stub failure ${count++})`
  failures.set(message, error)
  return Effect.die(new Error(message))
}

const isFlameError = (error: unknown): error is FlameError => error instanceof FlameError

/**
 * Gives a function other code for a test: it takes and gives what the function does, and may fail with a `FlameError`.
 *
 * Payload, values and errors go through the function's own schemas, so that a stub cannot give what a runner could not
 * send. `FlameLayer.mock` and `FlameLayer.test` take it. The function's own code and its services are not needed.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame, FlameError, FlameLayer } from "effect-flame"
 *
 * const price = Flame.contract("price", { payload: { item: Schema.String }, success: Schema.Int })
 *
 * const Priced = FlameLayer.mock([Flame.stub(price, () => Effect.succeed(9))])
 * const Full = FlameLayer.mock([
 *   Flame.stub(price, () =>
 *     Effect.fail(
 *       new FlameError.FlameError({
 *         reason: new FlameError.QueueFull({ pool: "effect-flame/Pool", function: "price", waiting: 1, capacity: 1 })
 *       })
 *     )
 *   )
 * ])
 * ```
 *
 * @since 0.1.0
 * @category testing
 */
export const stub = <
  Name extends string,
  P extends Schema.Top,
  S extends Schema.Top,
  E extends Schema.Top,
  PoolId extends FlameFunction.AnyPool,
  R,
  St extends boolean
>(
  fn: FlameFunction.AnyFunction & {
    readonly name: Name
    readonly payload: P
    readonly success: S
    readonly error: E
    readonly pool: FlameFunction.PoolKey<PoolId>
    readonly stream: St
  },
  code: (payload: P["Type"]) => StubCode<St, S, E, R>
): FlameFunction.DeclaredFunction<St, Name, P, S, E, PoolId> &
  FlameFunction.Implemented<FlameFunction.Needs<R, P, S, E>> =>
  FlameFunction.implement(fn, ((payload: P["Type"]) => {
    const given = code(payload) as Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>
    if (!Effect.isEffect(given))
      return Stream.catchIf(given, isFlameError, (error) => Stream.fromEffect(asDefect(error)))
    return Effect.map(Effect.catchIf(given, isFlameError, asDefect), (value) =>
      Stream.isStream(value)
        ? Stream.catchIf(value, isFlameError, (error) => Stream.fromEffect(asDefect(error)))
        : value
    )
  }) as never)

/** The error that a stub failed with, where a defect stands for one. */
export const failureOf = (defect: unknown): FlameError | undefined => {
  if (!(defect instanceof RemoteDefect)) return undefined
  for (const [message, error] of failures) {
    if (!defect.message.includes(message)) continue
    failures.delete(message)
    return error
  }
  return undefined
}
