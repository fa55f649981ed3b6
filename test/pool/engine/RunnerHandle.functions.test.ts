import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { inUse } from "../../hostile/Victim.ts"

const declare = () =>
  Flame.fn("double", { payload: Schema.Int, success: Schema.Int }, (value) => Effect.succeed(2 * value))

it.live("a runner that was asked for many declarations of one function keeps none that the app has dropped", () =>
  Effect.gen(function* () {
    const dropped: Array<WeakRef<object>> = []
    for (let value = 0; value < 50; value++) {
      const double = declare()
      dropped.push(new WeakRef(double))
      assert.strictEqual(yield* Flame.call(double, value), 2 * value)
    }
    // A weak reference holds its object until the turn ends.
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    inUse()
    // The pool keeps the first declaration of a name, and the fiber may hold the last one.
    assert.isBelow(dropped.filter((double) => double.deref() !== undefined).length, 10)
  }).pipe(Effect.provide(FlameLayer.test([declare()])))
)
