import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Flame from "../../../src/Flame.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { twice } from "./functions.ts"
import { finish, long, pass, poolTest, settle } from "./harness.ts"

describe("the option minIdleTimeToLive", () => {
  poolTest(
    "[C350] ends the min runners after a time without calls, and the next call boots min again",
    { min: 2, awaitMin: true, idleTimeToLive: "10 seconds", minIdleTimeToLive: "10 minutes" },
    function* ({ pool, runners }) {
      yield* long("a")
      yield* pass("1 hour")
      yield* finish("a")
      yield* pass("9 minutes")
      assert.strictEqual(runners.now, 2)
      yield* pass("2 minutes")
      assert.strictEqual(runners.now, 0)
      assert.strictEqual(yield* Flame.call(twice, { n: 21 }), 42)
      yield* settle
      assert.strictEqual((yield* pool.status).ready, 2)
    }
  )
})

describe("the option log", () => {
  const lives = (logs: ReadonlyArray<string>) =>
    logs.filter((_) => _.includes("runner ") && _.includes(" of pool ")).map(withoutNames)
  const withoutNames = (line: string) => line.replace(/runner \S+/, "runner R").replace(Pool.key, "P")

  poolTest(
    "[C351] logs a boot and an end at its level",
    { log: "Info", idleTimeToLive: "10 seconds" },
    function* ({ logs }) {
      yield* Flame.call(twice, { n: 21 })
      yield* pass("20 seconds")
      assert.deepStrictEqual(lives(logs), [
        "Info runner R of pool P is ready after 0 ms: 1 of at most 10 runners ",
        "Info runner R of pool P ended after 10 s (idle): its process exited with code 0 "
      ])
    }
  )

  poolTest("[C351] logs neither if it is not set", { idleTimeToLive: "10 seconds" }, function* ({ logs }) {
    yield* Flame.call(twice, { n: 21 })
    yield* pass("20 seconds")
    assert.deepStrictEqual(lives(logs), [])
  })
})

describe("the hook beforeBoot", () => {
  const counts: Array<number> = []
  poolTest(
    "[C352] gets the number of runners that exist, the booting one included",
    { max: 3, beforeBoot: (_, runners) => Effect.sync(() => void counts.push(runners)) },
    function* () {
      yield* long("a")
      yield* long("b")
      yield* finish("a", "b")
      assert.deepStrictEqual(counts, [1, 2])
    }
  )
})
