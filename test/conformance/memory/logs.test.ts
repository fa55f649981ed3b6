import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { settle } from "./harness.ts"

const say = Flame.fn("say", {}, () => Effect.annotateLogs(Effect.log("hello", { deep: [1n] }), "job", 7))

/** Runs an effect with runners in memory. Returns the lines that were logged. */
const logged = (effect: Effect.Effect<void, unknown, Pool>, options: { readonly logLevel?: "Warn" | "None" } = {}) =>
  Effect.gen(function* () {
    const lines: Array<unknown> = []
    const logger = Logger.make<unknown, void>(({ date, fiber, logLevel, message }) => {
      lines.push([logLevel, date.getTime(), message, fiber.getRef(References.CurrentLogAnnotations)])
    })
    const layer = Layer.provide(FlameLayer.test([say], options), Logger.layer([logger]))
    yield* Effect.provide(Effect.andThen(effect, settle), layer)
    return lines
  })

describe("a log line of a function in memory", () => {
  it.effect("crosses the wire once, and arrives in the pool's log with runner, function and call", () =>
    Effect.gen(function* () {
      let runner = ""
      const lines = yield* logged(
        Effect.gen(function* () {
          yield* Effect.annotateLogs(Flame.call(say), "request", "r7")
          runner = (yield* (yield* Pool).status).runners[0]?.id ?? ""
        })
      )
      const annotations = { request: "r7", job: 7, runner, pool: Pool.key, function: "say" }
      // A message of a runner arrives as the data that JSON makes of it.
      assert.deepStrictEqual(lines, [["Info", 0, ["hello", { deep: ["1n"] }], annotations]])
    })
  )

  it.effect("does not arrive when its level is below the pool's logLevel", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* logged(Flame.call(say), { logLevel: "Warn" }), [])
      assert.deepStrictEqual(yield* logged(Flame.call(say), { logLevel: "None" }), [])
    })
  )

  it.effect("is filtered by the level in the environment", () =>
    Effect.gen(function* () {
      const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ FLAME_LOG_LEVEL: "Error" }))
      assert.deepStrictEqual(yield* Effect.provide(logged(Flame.call(say)), config), [])
    })
  )

  it.effect("cannot be filtered by an unknown level: the layer fails and names the levels", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(logged(Effect.void, { logLevel: "Loud" as "Warn" }))
      assert.match(String(exit), /logLevel must be one of All, Fatal/)
    })
  )
})
