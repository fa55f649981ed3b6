import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { MemoryRunners } from "../../../src/backend/MemoryBackend.ts"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { settled } from "../../runner/ScriptedParent.ts"

const runs: Array<Uint8Array> = []
const take = Flame.fn("take", { payload: Schema.Uint8Array, success: Schema.Int }, (bytes) =>
  Effect.sync(() => runs.push(bytes))
)

describe("a call that is in transit when its runner leaves", () => {
  for (const size of [10, 1_000_000]) {
    it.effect(`runs on another runner, because the first has not run it (${size} bytes)`, () =>
      Effect.gen(function* () {
        runs.length = 0
        const faults = yield* MemoryRunners
        yield* Flame.call(take, new Uint8Array(1))
        yield* faults.freeze(true)
        const call = yield* Effect.forkChild(Flame.call(take, new Uint8Array(size)))
        yield* settled
        // The runner sends Draining and Bye, and has not read the Request yet.
        yield* faults.terminate()
        yield* settled
        yield* TestClock.adjust("10 seconds")
        yield* settled
        assert.strictEqual(yield* Fiber.join(call), 2)
        assert.strictEqual(yield* faults.launched, 2)
      }).pipe(Effect.provide(FlameLayer.test([take])))
    )
  }
})
