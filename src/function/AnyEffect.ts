/** The type of an effect whose value, error and services are known only where it was declared. */
import type * as Effect from "effect/Effect"

export type AnyEffect = Effect.Effect<unknown, unknown, unknown>
