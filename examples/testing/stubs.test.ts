/** Shows how to test code that calls functions: stubs replace the functions, and the code of the functions does not run. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Flame, FlameError, FlameLayer } from "effect-flame"

const price = Flame.contract("price", {
  payload: { item: Schema.String },
  success: Schema.Int,
  error: Schema.Literal("unknown item")
})

/** The code under test: makes an offer, and answers "on request" while the pool's queue is full. */
const offer = (item: string) =>
  Flame.call(price, { item }).pipe(
    Effect.map((cents) => `${cents / 100} EUR`),
    Effect.catchReason("FlameError", "QueueFull", () => Effect.succeed("on request")),
    Effect.catchIf(
      (error) => error === "unknown item",
      () => Effect.succeed("not for sale")
    )
  )

const full = new FlameError.FlameError({
  reason: new FlameError.QueueFull({ pool: "effect-flame/Pool", function: "price", waiting: 9, capacity: 9 })
})

const by = (code: () => Effect.Effect<number, "unknown item" | FlameError.FlameError>) =>
  FlameLayer.mock([Flame.stub(price, code)])

describe("an offer", () => {
  it.effect("names the price that the function returns", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* offer("pear"), "1.2 EUR")
    }).pipe(Effect.provide(by(() => Effect.succeed(120))))
  )

  it.effect('is "not for sale" when the function does not know the item', () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* offer("moon"), "not for sale")
    }).pipe(Effect.provide(by(() => Effect.fail("unknown item"))))
  )

  it.effect('is "on request" while the pool\'s queue is full', () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* offer("pear"), "on request")
    }).pipe(Effect.provide(by(() => Effect.fail(full))))
  )
})
