/**
 * Tests the observability of calls on pods: log lines of functions, where the time went, and one trace of both sides.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Flame from "../../src/Flame.ts"
import { RunnerLost } from "../../src/error/FlameError.ts"
import { reasonOf } from "../fixtures/conformance-process/harness.ts"
import * as Otlp from "../fixtures/conformance-process/otlp.ts"
import * as Receiver from "../fixtures/conformance-process/otlp-receiver.ts"
import * as SpanTree from "../fixtures/conformance-process/span-tree.ts"
import { chatter, die, say } from "../fixtures/conformance-process/runner-logs.ts"
import { measure } from "../fixtures/conformance-process/runner-otlp.ts"
import { add } from "./apps/functions.ts"
import { host, type HostOptions, onHost } from "./kit/HostParent.ts"
import * as Namespaces from "./kit/Namespaces.ts"

const space = Namespaces.ofFile("seeing")

const logging: HostOptions = { command: ["node", "logs.mjs"] }

/**
 * Checks the steps of a boot. The order of dialling and loading varies, because a program dials while it is being
 * loaded.
 */
const assertSteps = (told: ReadonlyArray<string>): void => {
  assert.includeMembers([...told], ["imported", "ready"])
  assert.isBelow(told.indexOf("imported"), told.indexOf("ready"))
  // An image that is already on the node has no pull of its own.
  const others = told.filter((step) => !["launched", "pulled", "imported"].includes(step))
  assert.deepStrictEqual(others, ["created", "scheduled", "started", "importing", "connected", "ready"])
}

describe("a log line of a function on a pod", () => {
  it.live("arrives in the parent's log with level, annotations, cause, runner and function", () =>
    onHost(space, logging, ({ events, log }) =>
      Effect.gen(function* () {
        yield* Effect.annotateLogs(Flame.call(say, { text: "hello" }), "request", "r7")
        const line = yield* log.has(/^hello/)
        const [{ runner } = { runner: "" }] = events.of("RunnerReady")
        assert.deepStrictEqual(line, {
          level: "Info",
          text: line.text,
          annotations: { request: "r7", job: 7, runner, pool: "effect-flame/Pool", function: "say" }
        })
        const warning = yield* log.has(/^it went wrong/)
        assert.strictEqual(warning.level, "Warn")
        assert.match(warning.text, /the reason/)
        assert.notInclude(log.lines.map(({ text }) => text).join("\n"), "in detail")
        const services = yield* log.has(/^its services are being built/)
        assert.deepStrictEqual(services.annotations, { runner, pool: "effect-flame/Pool" })
      })
    )
  )

  it.live("is filtered by the log level of its caller, also if the pool's level is lower", () =>
    onHost(space, logging, ({ log }) =>
      Effect.gen(function* () {
        yield* Effect.provideService(Flame.call(say, { text: "loud" }), References.MinimumLogLevel, "Debug")
        assert.strictEqual((yield* log.has(/^loud in detail/)).level, "Debug")
        yield* Effect.provideService(Flame.call(say, { text: "quiet" }), References.MinimumLogLevel, "Warn")
        yield* Effect.provideService(Flame.call(say, { text: "end" }), References.MinimumLogLevel, "Info")
        yield* log.has(/^end/)
        assert.notInclude(log.lines.map(({ text }) => text).join("\n"), "quiet")
      })
    )
  )

  it.live("in a flood of lines delays no call; lines over the limit are dropped and counted in one line", () =>
    onHost(space, logging, ({ events, log }) =>
      Effect.gen(function* () {
        const began = performance.now()
        yield* Flame.call(chatter, { lines: 20_000, each: "x".repeat(200) })
        yield* log.has(/^\d+ lines dropped of the log of this runner/)
        // A thousand lines per second, and on a slow machine the test takes many seconds.
        assert.isBelow(log.lines.length, 1_000 * ((performance.now() - began) / 1_000 + 2))
        yield* Flame.call(chatter, { lines: 1, each: "after" })
        assert.deepStrictEqual(events.of("RunnerGone"), [])
      })
    )
  )

  it.live.each(["exit", "throw"] as const)("right before its process ends by %s is reported", (how) =>
    onHost(space, logging, ({ log }) =>
      Effect.gen(function* () {
        const reason = yield* reasonOf(Flame.call(die, { how }))
        assert.instanceOf(reason, RunnerLost)
        // Lines that could be sent are logged. The others are in the container's termination message, which the report of
        // the loss quotes.
        yield* log.has(/the last of it/)
      })
    )
  )
})

describe("the time of a call on a pod", () => {
  it.live("is reported by every step of the boot that it waited for, and without steps for the next call", () =>
    onHost(space, {}, () =>
      Effect.gen(function* () {
        const told: Array<Flame.CallTimes> = []
        const call = Flame.call(add, { a: 1, b: 2 })
        yield* Flame.explain(Effect.andThen(call, call), (times) => told.push(times))
        const [cold, warm] = told
        assertSteps(cold?.boot.map(([step]) => step) ?? [])
        const booted = cold?.boot.reduce((sum, [, millis]) => sum + millis, 0) ?? 0
        const { carried = 0, queued, ran = 0, total } = cold!
        assert.closeTo(queued + booted + carried + ran, total, 1)
        assert.isAbove(booted, total / 2)
        assert.match(String(cold), /^add succeeded after \d+ ms on pool-\S+: queued .*scheduled .*imported .*ran /)
        assert.deepStrictEqual(warm?.boot, [])
      })
    )
  )
})

describe("a call of a program whose parent and runner pods export by OTLP", () => {
  it.live("is one tree of spans: the caller's, the call with its wait and its boot, and the function's", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const receiver = yield* Receiver.makeFor(host)
        const options = { command: ["node", "otlp.mjs"], env: { [Otlp.receiverVariable]: receiver.url } }
        yield* onHost(space, options, () =>
          Effect.withSpan(Flame.call(measure), "request").pipe(Effect.provide(Otlp.layer(receiver.url, "the-parent")))
        )
        const find = yield* SpanTree.ofCall(receiver)
        assertSteps(find("boot")?.events.map(({ name }) => name) ?? [])
      })
    )
  )
})
