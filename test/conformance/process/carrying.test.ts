import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { PayloadTooLarge } from "../../../src/error/FlameError.ts"
import * as fns from "../../fixtures/conformance-process/functions.ts"
import { onPool, pids, reasonOf } from "../../fixtures/conformance-process/harness.ts"

const { add, bytes, place, weigh } = fns

describe("a call on a child process", () => {
  it.live("carries a large payload and a large result, while small calls go on", () =>
    onPool({ concurrency: 4 }, () =>
      Effect.gen(function* () {
        // 512 parts of 32 KiB: each of them lets small calls through
        const size = 16 * 1024 * 1024
        const data = fns.pattern(size)
        yield* Flame.call(add, { a: 0, b: 0 })
        const large = yield* Effect.forkChild(Effect.all([Flame.call(weigh, { data }), Flame.call(bytes, { size })]), {
          startImmediately: true
        })
        let small = 0
        while (large.pollUnsafe() === undefined) {
          assert.strictEqual(yield* Flame.call(add, { a: small, b: 1 }), small + 1)
          small++
        }
        const [weight, result] = yield* Fiber.join(large)
        assert.deepStrictEqual(weight, { size, intact: true })
        assert.strictEqual(Buffer.compare(result, data), 0)
        assert.isAbove(small, 20)
      })
    )
  )

  it.live("is refused when its payload or result is over the limit, on both paths of the wire", () =>
    onPool({ maxPayload: 100_000, maxResult: 100_000 }, ({ events }) =>
      Effect.gen(function* () {
        const data = new Uint8Array(200_000)
        const payload = yield* reasonOf(Flame.call(weigh, { data }))
        assert.instanceOf(payload, PayloadTooLarge)
        assert.deepInclude(payload, { function: "weigh", limit: 100_000, direction: "payload" })
        assert.isAtLeast(payload.size, 200_000)
        assert.deepStrictEqual(events.seen, [])
        const result = yield* reasonOf(Flame.call(bytes, { size: 200_000 }))
        assert.deepStrictEqual(
          result,
          new PayloadTooLarge({ function: "bytes", size: 200_000, limit: 100_000, direction: "result" })
        )
        assert.strictEqual((yield* Flame.call(bytes, { size: 100_000 })).length, 100_000)
        assert.strictEqual(pids(events).length, 1)
      })
    ).pipe(
      Effect.andThen(
        onPool({ maxResult: 10 }, () =>
          Effect.gen(function* () {
            const result = yield* reasonOf(Flame.call(bytes, { size: 11 }))
            assert.deepInclude(result, { _tag: "PayloadTooLarge", size: 11, limit: 10, direction: "result" })
            assert.strictEqual((yield* Flame.call(bytes, { size: 10 })).length, 10)
          })
        )
      )
    )
  )

  it.live("carries the remaining time, log annotations, log level and registered References, and nothing else", () =>
    onPool({}, () =>
      Effect.gen(function* () {
        const there = yield* Flame.call(place, undefined, { timeout: "1 minute" }).pipe(
          Effect.annotateLogs("request", "r-1"),
          Effect.provideService(fns.Tenant, "ada"),
          Effect.provideService(fns.Private, "secret")
        )
        assert.strictEqual(there.tenant, "ada")
        assert.strictEqual(there.private, "default")
        assert.deepStrictEqual(there.annotations, { request: "r-1" })
        assert.isAbove(there.remaining ?? 0, 30_000)
        assert.isAtMost(there.remaining ?? 0, 60_000)
        const plain = yield* Flame.call(place)
        assert.deepInclude(plain, { tenant: "nobody", annotations: {}, remaining: undefined })
      })
    )
  )

  it.live(
    "runs in a process with the pool's execArgv and environment, without the variables of the runner's role",
    () =>
      onPool({ execArgv: ["--no-warnings", "--max-old-space-size=200"], env: { EXTRA: "1", VITEST: undefined } }, () =>
        Effect.gen(function* () {
          const { env, execArgv } = yield* Flame.call(place)
          assert.deepStrictEqual(execArgv.slice(-2), ["--no-warnings", "--max-old-space-size=200"])
          assert.strictEqual(env["EXTRA"], "1")
          assert.strictEqual(env["PATH"], process.env["PATH"])
          assert.notProperty(env, "VITEST")
          assert.deepStrictEqual(
            Object.keys(env).filter((name) => name.startsWith("FLAME_RUNNER_")),
            []
          )
        })
      )
  )

  it.live("that prints to stdout has the text in the parent's log, with the runner's id", () =>
    onPool({ outputLevel: "Warn" }, ({ log }) =>
      Effect.gen(function* () {
        const { runner } = yield* Flame.call(place)
        yield* Flame.call(fns.print, { out: "hello\nworld\n", err: "oh\n" })
        const of = (output: string, text: string) => ({ level: "Warn", text, annotations: { runner, output } })
        assert.deepStrictEqual(yield* log.has(/^hello$/), of("stdout", "hello"))
        assert.deepStrictEqual(yield* log.has(/^world$/), of("stdout", "world"))
        assert.deepStrictEqual(yield* log.has(/^oh$/), of("stderr", "oh"))
      })
    )
  )
})
