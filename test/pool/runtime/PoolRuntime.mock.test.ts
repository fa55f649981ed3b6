import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Backend } from "../../../src/backend/Backend.ts"
import { InvalidSpec } from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { Pool } from "../../../src/pool/Pool.ts"

const one = Flame.fn("one", { success: Schema.Int }, () => Effect.succeed(1))

/** Has the required members alone: Effect's mock dies where another one is used. */
const Refusing = Layer.mock(Backend, {
  name: "mock",
  build: "test",
  defaults: { bootTimeout: 1_000, reasonGrace: 10 },
  launch: () => Effect.fail(new InvalidSpec({ detail: "no room in the test" }))
})

it.effect("a pool on a backend of Layer.mock fails its calls with the backend's cause, and closes [C363]", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(Flame.call(one))
    assert.strictEqual(error.reason._tag === "BootFailed" ? error.reason.cause._tag : "", "InvalidSpec")
  }).pipe(Effect.provide(Pool.layer({ max: 1 }).pipe(Layer.provide(Refusing))))
)
