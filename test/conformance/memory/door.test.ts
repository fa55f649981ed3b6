import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { MemoryRunners } from "../../../src/testing/index.ts"

// The example in the docstring of effect-flame/testing, as an app would write it.

class Ffmpeg extends Context.Service<
  Ffmpeg,
  { readonly frame: (video: string, at: number) => Effect.Effect<Uint8Array> }
>()("test/Ffmpeg") {}

class Gpu extends Flame.PoolService<Gpu>()("test/Gpu") {}

const thumbnail = Flame.fn(
  "thumbnail",
  { payload: { video: Schema.String, at: Schema.Int }, success: Schema.Uint8Array },
  ({ at, video }) => Effect.flatMap(Ffmpeg, (ffmpeg) => ffmpeg.frame(video, at))
)

const train = Flame.contract("train", { success: Schema.String, pool: Gpu })

const FfmpegMock = Layer.mock(Ffmpeg, { frame: (_, at) => Effect.succeed(new Uint8Array(at)) })
const trained = Flame.implement(train, () => Effect.as(Effect.sleep("1 hour"), "a model"))
const Test = Gpu.layer({ max: 1 }).pipe(
  Layer.provideMerge(FlameLayer.test([thumbnail, trained], { max: 2 })),
  Layer.provide(FfmpegMock)
)

describe("FlameLayer.test", () => {
  it.effect("runs functions with mock services, stubs, further pools and scripted faults", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* Flame.call(thumbnail, { video: "a.mp4", at: 3 }), 3)
      const first = yield* Effect.forkChild(Flame.call(train))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* Fiber.join(first), "a model")
      const second = yield* Effect.forkChild(Effect.flip(Flame.call(train)))
      yield* TestClock.adjust("1 minute")
      yield* (yield* MemoryRunners).lose()
      assert.strictEqual((yield* Fiber.join(second)).reason._tag, "RunnerLost")
    }).pipe(Effect.provide(Test))
  )

  it.effect("has runners of its own for each pool, and none after its release", () =>
    Effect.gen(function* () {
      const faults = yield* Effect.provide(
        Effect.gen(function* () {
          const faults = yield* MemoryRunners
          const training = yield* Effect.forkChild(Flame.call(train), { startImmediately: true })
          yield* Flame.call(thumbnail, { video: "a.mp4", at: 3 })
          assert.sameMembers(
            (yield* faults.list).map(({ pool }) => pool),
            [Pool.key, "test/Gpu"]
          )
          yield* Fiber.interrupt(training)
          return faults
        }),
        Test
      )
      assert.deepStrictEqual(yield* faults.list, [])
    })
  )

  it.effect("ends a test that fails while a call runs, when drainTimeout is 0, although TestClock stands still", () =>
    Effect.gen(function* () {
      const failing = Effect.gen(function* () {
        yield* Effect.forkChild(Flame.call(train, undefined, { pool: Pool }), { startImmediately: true })
        yield* Effect.repeat(Effect.yieldNow, { times: 20 })
        return yield* Effect.fail("an assertion")
      })
      const error = yield* Effect.flip(Effect.provide(failing, FlameLayer.test([trained], { drainTimeout: 0 })))
      assert.strictEqual(error, "an assertion")
    })
  )
})
