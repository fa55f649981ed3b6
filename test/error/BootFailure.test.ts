import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as BootFailure from "../../src/error/BootFailure.ts"

/** The failure of a boot whose layer reads this configuration from a runner with the variable `PORT`. */
const failure = (config: Config.Config<unknown>) =>
  Effect.map(
    Effect.exit(Effect.provide(config, ConfigProvider.layer(ConfigProvider.fromUnknown({ PORT: "eighty" })))),
    (exit) => (Exit.isFailure(exit) ? BootFailure.servicesFailed(exit.cause) : assert.fail("the configuration fits"))
  )

describe("servicesFailed", () => {
  it("names the way to bring services along with the functions of one pool, if several pools share them [C460]", () => {
    const cause = Cause.fail(new Error("no CUDA device"))
    const advice = "if only the functions of app/Gpu need what failed, serve them by Flame.forPool(thatPool, "
    assert.include(BootFailure.servicesFailed(cause, ["app/Gpu"]).message, advice)
    assert.notInclude(BootFailure.servicesFailed(cause).message, "forPool")
  })

  it.effect.each([
    ["a variable that is missing", Config.String("DB_URL"), 'Expected string at ["DB_URL"]'],
    ["a variable of another type", Config.Int("PORT"), /Expected .* at \["PORT"\]/]
  ] as const)("names the runner's side, the variable and its type for %s, in one line [C400]", ([, config, expected]) =>
    Effect.gen(function* () {
      const { detail, message, permanent } = yield* failure(config)
      assert.match(
        message,
        /^the runner could not build the services of its functions: the configuration of the runner /
      )
      assert.isTrue(permanent)
      assert.notInclude(detail, "\n")
      if (typeof expected === "string") assert.include(detail, expected)
      else assert.match(detail, expected)
    })
  )
})
