import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Flame from "../../../src/Flame.ts"
import type { Pool } from "../../../src/pool/Pool.ts"
import type { LocalOptions } from "../../../src/FlameLayer.ts"
import { fixture, onPool, reasonOf, type Scene } from "../../fixtures/conformance-process/harness.ts"
import { chatter, die, say } from "../../fixtures/conformance-process/runner-logs.ts"
import { layer as spans } from "../../fixtures/conformance-process/spans.ts"

const logging = <A, E>(options: LocalOptions, body: (scene: Scene) => Effect.Effect<A, E, Pool>) =>
  onPool({ entry: fixture("runner-logs.ts"), ...options }, body)

/** The lines that were logged, without those that a runner printed. */
const logged = ({ log }: Scene) => log.lines.filter(({ annotations }) => annotations["output"] === undefined)

/** The lines that runners printed to stdout and stderr. */
const printed = ({ log }: Scene) => log.lines.filter(({ annotations }) => annotations["output"] !== undefined)

describe("a log line of a function", () => {
  it.live(
    "arrives in the parent's log with level, annotations, cause, runner, function and call, and is not printed",
    () =>
      logging({}, (scene) =>
        Effect.gen(function* () {
          yield* Effect.annotateLogs(Flame.call(say, { text: "hello" }), "request", "r7")
          const line = yield* scene.log.has(/^hello/)
          const [{ runner } = { runner: "" }] = scene.events.of("RunnerReady")
          assert.deepStrictEqual(line.annotations, {
            request: "r7",
            job: 7,
            runner,
            pool: "effect-flame/Pool",
            function: "say"
          })
          assert.strictEqual(line.level, "Info")
          const warning = yield* scene.log.has(/^it went wrong/)
          assert.strictEqual(warning.level, "Warn")
          assert.match(warning.text, /the reason/)
          assert.match(warning.text, /runner-logs\.ts/)
          assert.notInclude(scene.log.lines.map(({ text }) => text).join("\n"), "in detail")
          assert.deepStrictEqual(printed(scene), [])
        })
      )
  )

  it.live("is filtered by the log level of its caller, also if the pool's level is lower", () =>
    logging({}, (scene) =>
      Effect.gen(function* () {
        yield* Effect.provideService(Flame.call(say, { text: "loud" }), References.MinimumLogLevel, "Debug")
        assert.strictEqual((yield* scene.log.has(/^loud in detail/)).level, "Debug")
        yield* Effect.provideService(Flame.call(say, { text: "quiet" }), References.MinimumLogLevel, "Warn")
        yield* Effect.provideService(Flame.call(say, { text: "end" }), References.MinimumLogLevel, "Info")
        yield* scene.log.has(/^end/)
        assert.notInclude(scene.log.lines.map(({ text }) => text).join("\n"), "quiet")
      })
    )
  )

  it.live("is not sent if it is below the pool's logLevel", () =>
    logging({ logLevel: "Warn" }, (scene) =>
      Effect.gen(function* () {
        yield* Flame.call(say, { text: "hello" })
        yield* scene.log.has(/^it went wrong/)
        assert.deepStrictEqual(
          logged(scene).map(({ level }) => level),
          ["Warn"]
        )
      })
    )
  )

  it.live("names its trace and span", () =>
    logging({}, (scene) =>
      Effect.gen(function* () {
        const span = yield* Effect.useSpan("request", (span) =>
          Effect.as(Effect.withParentSpan(Flame.call(say, { text: "traced" }), span), span)
        ).pipe(Effect.provide(spans("/dev/null")))
        const { annotations } = yield* scene.log.has(/^traced/)
        assert.strictEqual(annotations["traceId"], span.traceId)
        assert.match(String(annotations["spanId"]), /^[0-9a-f]{16}$/)
      })
    )
  )

  it.live(
    "also goes to loggers of the runner's program, but what these print does not arrive as a second line [C135]",
    () =>
      logging({ env: { CONFORMANCE_OWN_LOGGER: "1" } }, (scene) =>
        Effect.gen(function* () {
          yield* Flame.call(say, { text: "both" })
          yield* scene.log.has(/^both/)
          const own = yield* scene.log.has(/^own: both/)
          assert.strictEqual(own.annotations["output"], "stdout")
          assert.notInclude(scene.log.lines.map(({ text }) => text).join("\n"), "console: both")
        })
      )
  )

  it.live("in a flood of lines delays no call; lines over the limit are dropped and counted in one line", () =>
    logging({ min: 1, awaitMin: true, concurrency: 2 }, (scene) =>
      Effect.gen(function* () {
        const began = performance.now()
        yield* Flame.call(chatter, { lines: 20_000, each: "x".repeat(200) })
        yield* scene.log.has(/^\d+ lines dropped of the log of this runner/)
        // 1 000 lines at once, and 1 000 a second.
        assert.isBelow(scene.log.lines.length, 2_000 + performance.now() - began)
        // The connection is intact, and later lines arrive.
        yield* Flame.call(chatter, { lines: 1, each: "after" })
        assert.deepStrictEqual(scene.events.of("RunnerGone"), [])
      })
    )
  )

  it.live.each(["exit", "throw"] as const)("right before its process ends by %s is not lost", (how) =>
    logging({}, (scene) =>
      Effect.gen(function* () {
        const reason = yield* reasonOf(Flame.call(die, { how }))
        assert.strictEqual(reason._tag, "RunnerLost")
        yield* scene.log.has(/the last of it/)
      })
    )
  )
})

describe("a log line of a runner outside of calls", () => {
  it.live("arrives like any other line, from services as they are built and from their finalizers [C136]", () =>
    logging({}, (scene) =>
      Effect.gen(function* () {
        yield* Flame.call(say, { text: "hello" })
        const line = yield* scene.log.has(/^its services are being built/)
        const [{ runner } = { runner: "" }] = scene.events.of("RunnerReady")
        assert.deepStrictEqual(line.annotations, { runner, pool: "effect-flame/Pool" })
        yield* scene.close
        const last = yield* scene.log.has(/^its services are let go/)
        assert.deepStrictEqual(last.annotations, { runner, pool: "effect-flame/Pool" })
      })
    )
  )

  it.live("before a failed boot arrives with the report of that boot", () =>
    logging({ min: 1, env: { CONFORMANCE_FAILS: "1" } }, (scene) =>
      Effect.gen(function* () {
        const { cause } = yield* scene.events.nth("BootFailed")
        assert.strictEqual(cause._tag, "ServicesFailed")
        yield* scene.log.has(/its services are being built/)
      })
    )
  )
})
