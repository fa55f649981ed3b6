import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { fromConfig } from "../../../src/pool/option/PoolEnvironment.ts"
import { resolve } from "../../../src/pool/option/PoolSettings.ts"
import { prefixOf } from "../../../src/pool/option/PoolPrefix.ts"

const backend = { bootTimeout: 60_000, reasonGrace: 50 }

/** Options as a program without types may pass them. */
const settings = (options: Readonly<Record<string, unknown>>) => resolve(options, backend)

const durations = [
  "timeout",
  "bootTimeout",
  "idleTimeToLive",
  "minIdleTimeToLive",
  "maxLifetime",
  "drainTimeout",
  "cancelGrace",
  "silenceLimit",
  "reasonGrace"
]

describe("the options of a pool", () => {
  it.each<readonly [string, Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>]>([
    ["their defaults", {}, { min: 0, max: 10, bootTimeout: 60_000, reasonGrace: 50, timeout: undefined }],
    ["min over the default max", { min: 12 }, { min: 12, max: 12 }],
    [
      "durations in any form",
      { timeout: "1 minute", cancelGrace: 250, drainTimeout: { seconds: 2 } },
      { timeout: 60_000, cancelGrace: 250, drainTimeout: 2_000 }
    ],
    [
      "no limit as none",
      { timeout: "Infinity", maxLifetime: "Infinity" },
      { timeout: undefined, maxLifetime: undefined }
    ],
    ["runners that never idle away", { idleTimeToLive: "Infinity" }, { idleTimeToLive: Infinity }],
    ["the most slots", { concurrency: 65_536 }, { concurrency: 65_536 }],
    ["both strategies", { strategy: "pack" }, { strategy: "pack" }]
  ])("may be %s", (_, options, expected) => {
    const actual = settings(options) as unknown as Record<string, unknown>
    for (const [name, value] of Object.entries(expected)) assert.strictEqual(actual[name], value, name)
  })

  it.each<readonly [Readonly<Record<string, unknown>>, string]>([
    [{ concurrency: 65_537 }, "the pool option concurrency must be at most 65536, it is 65537"],
    [{ concurrency: 0 }, "the pool option concurrency must be a whole number of at least 1, it is 0"],
    [{ max: 1.5 }, "the pool option max must be a whole number of at least 1, it is 1.5"],
    [{ spare: -1 }, "the pool option spare must be at least 0, it is -1"],
    [{ maxLifetime: 0 }, "the pool option maxLifetime must be above 0, it is 0 ms"],
    [{ reasonGrace: "Infinity" }, "the pool option reasonGrace must be a finite duration, it is Infinity ms"],
    [{ min: 3, max: 2 }, "the pool option min (3) is above max (2)"],
    [{ strategy: "random" }, "the pool option strategy must be spread or pack, it is random"],
    ...durations.flatMap((name): Array<readonly [Readonly<Record<string, unknown>>, string]> => [
      [{ [name]: "12 parsecs" }, `the pool option ${name} is not a duration: 12 parsecs`],
      [{ [name]: NaN }, `the pool option ${name} is not a duration: NaN`],
      [{ [name]: null }, `the pool option ${name} is not a duration: null`],
      [{ [name]: "-2 seconds" }, `the pool option ${name} must not be negative, it is -2000 ms`],
      [{ [name]: "-Infinity" }, `the pool option ${name} must not be negative, it is -Infinity ms`]
    ])
  ])("%j are refused by name", (options, message) => {
    assert.throws(() => settings(options), TypeError, message)
  })
})

describe("variables of a pool", () => {
  it.each([
    ["effect-flame/Pool", "FLAME"],
    ["app/Gpu", "FLAME_GPU"],
    ["Gpu", "FLAME_GPU"],
    ["app/media/big-files", "FLAME_BIG_FILES"]
  ])("of %s begin with %s", (pool, prefix) => {
    assert.strictEqual(prefixOf(pool), prefix)
  })

  const read = (pool: string, env: Record<string, string>) =>
    Effect.provideService(fromConfig(pool), ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))

  it.effect("set the options of that pool and of no other", () =>
    Effect.gen(function* () {
      const env = { FLAME_MAX: "4", FLAME_GPU_MAX: "2", FLAME_GPU_STRATEGY: "pack" }
      assert.deepStrictEqual(yield* read("effect-flame/Pool", env), { max: 4 })
      assert.deepStrictEqual(yield* read("app/Gpu", env), { max: 2, strategy: "pack" })
    })
  )

  it.effect("that cannot be read are refused by name", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(read("effect-flame/Pool", { FLAME_IDLE_TIME_TO_LIVE: "12 parsecs" }))
      assert.include(String(error), "FLAME_IDLE_TIME_TO_LIVE")
    })
  )
})
