import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { Crashed, NeverConnected, NotARunner, VersionMismatch } from "../../src/error/BootFailure.ts"
import * as Flame from "../../src/Flame.ts"
import * as FunctionCodec from "../../src/function/FunctionCodec.ts"
import { json, Kind, protocol } from "../../src/wire/Frame.ts"
import { encodeHead } from "../../src/wire/Request.ts"
import { frame, noise, none, open, u32 } from "../wire/kit.ts"
import { introduced, type ScriptedParent, session, settled, when } from "./ScriptedParent.ts"

const noop = Flame.fn("noop", {}, () => Effect.void)
const never = Flame.fn("never", {}, () => Effect.never)
const size = Flame.fn("size", { payload: { size: Schema.Int }, success: Schema.Uint8Array }, ({ size }) =>
  Effect.succeed(noise(size, 1))
)
const take = Flame.fn("take", { payload: Schema.Uint8Array }, () => Effect.void)

/** A function that ends when the test opens a latch, and a function whose finalizer waits for a latch. */
const gated = Effect.gen(function* () {
  const gate = yield* Deferred.make<void>()
  const finalizer = yield* Deferred.make<void>()
  const log: Array<string> = []
  return {
    log,
    open: Deferred.succeed(gate, undefined),
    openFinalizer: Deferred.succeed(finalizer, undefined),
    fn: Flame.fn("gated", {}, () =>
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() =>
          Effect.andThen(
            Deferred.await(finalizer),
            Effect.sync(() => log.push("closed"))
          )
        )
        log.push("started")
        yield* Effect.onInterrupt(Deferred.await(gate), () => Effect.sync(() => log.push("interrupted")))
      })
    )
  }
})

/** How the session of a runner ended, for both sides. */
const ended = (parent: ScriptedParent) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(parent.done)
    yield* when(() => parent.probe.closed.length > 0)
    return exit
  })

describe("the handshake of a runner", () => {
  it.effect("compiles the codecs of its functions while the parent has not answered yet", () =>
    Effect.gen(function* () {
      const fn = Flame.fn("slow to compile", { payload: { size: Schema.Int }, success: Schema.Int }, ({ size }) =>
        Effect.succeed(size)
      )
      const codec = FunctionCodec.of(fn)
      assert.isUndefined(codec["payloadCodec"])
      yield* introduced([noop, fn])
      yield* when(() => codec["payloadCodec"] !== undefined && codec["successCodec"] !== undefined)
    })
  )

  it.effect("begins with the runner's identity and its functions", () =>
    Effect.gen(function* () {
      const parent = yield* introduced([noop, size])
      const [hello, ...more] = parent.probe.messages
      assert.deepStrictEqual([hello?.kind, hello?.id, more], [Kind.Hello, 0, []])
      assert.deepStrictEqual(JSON.parse(String(hello?.body)), {
        protocol,
        build: "build-1",
        runner: "r1",
        life: "life-1",
        functions: [
          ["noop", noop.layout],
          ["size", size.layout]
        ],
        words: [
          ["result: one value", "payload: Void", "success: Void", "error: Never"],
          ["result: one value", "payload.size: Number & isInt", "success: Uint8Array", "error: Never"]
        ]
      })
    })
  )

  it.effect("has room for more functions than fit into a small frame", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 2_000 }, (_, i) =>
        Flame.fn(`a function with quite a name ${i}`, {}, () => Effect.void)
      )
      const parent = yield* introduced(many)
      assert.strictEqual(JSON.parse(String(parent.probe.messages[0]?.body)).functions.length, 2_000)
      parent.welcome()
      const last = many.at(-1) ?? noop
      assert.deepStrictEqual(yield* parent.call(last, undefined), { kind: "Success", value: undefined })
    })
  )

  it.effect("ends with the reason when the parent refuses the runner", () =>
    Effect.gen(function* () {
      const parent = yield* introduced([noop])
      const cause = new VersionMismatch({ what: "protocol", parent: "2", runner: "1" })
      parent.link.send(Kind.Refuse, 0, none, json(cause))
      assert.deepStrictEqual(yield* ended(parent), Exit.fail(cause))
    })
  )

  it.effect("is given up when the parent does not answer in time", () =>
    Effect.gen(function* () {
      const silent = yield* introduced([noop], 10_000)
      yield* TestClock.adjust(9_999)
      assert.isFalse(silent.isDone)
      yield* TestClock.adjust(1)
      const exit = yield* ended(silent)
      const hint = "its parent did not answer its Hello"
      assert.deepStrictEqual(exit, Exit.fail(new NeverConnected({ phase: "connected", hint, after: 10_000 })))
    })
  )

  it.effect("has no deadline after the Welcome", () =>
    Effect.gen(function* () {
      const parent = yield* introduced([noop], 10_000)
      parent.welcome()
      yield* settled
      yield* TestClock.adjust("1 hour")
      assert.isFalse(parent.isDone)
      assert.strictEqual((yield* parent.call(noop, undefined)).kind, "Success")
    })
  )
})

describe("a drain of a runner", () => {
  it.effect("without calls ends it at once", () =>
    Effect.gen(function* () {
      const parent = yield* session([noop])
      yield* parent.call(noop, undefined)
      parent.drain(1_000)
      assert.deepStrictEqual(yield* ended(parent), Exit.void)
      assert.deepStrictEqual(parent.heard, ["Hello", "Success", "Draining", "Bye"])
      assert.deepStrictEqual(parent.probe.closed, [{ violation: undefined, error: undefined }])
    })
  )

  it.effect("lets calls end, and refuses new calls", () =>
    Effect.gen(function* () {
      const { fn, log, open, openFinalizer } = yield* gated
      const parent = yield* session([fn, noop])
      const id = parent.request(fn, undefined)
      yield* when(() => log.length === 1)
      parent.drain(10_000)
      assert.deepStrictEqual(yield* parent.call(noop, undefined), { kind: "Refused", value: { why: "draining" } })
      yield* open
      yield* settled
      assert.isFalse(parent.isDone)
      yield* openFinalizer
      assert.strictEqual((yield* parent.final(id)).kind, "Success")
      assert.deepStrictEqual(yield* ended(parent), Exit.void)
      assert.deepStrictEqual(parent.heard, ["Hello", "Draining", "Refused", "Success", "Bye"])
    })
  )

  it.effect("interrupts the remaining calls at the end of its budget, and gives finalizers time", () =>
    Effect.gen(function* () {
      const { fn, log, openFinalizer } = yield* gated
      const parent = yield* session([fn])
      const id = parent.request(fn, undefined)
      yield* when(() => log.length === 1)
      parent.drain(10_000)
      yield* settled
      yield* TestClock.adjust(9_999)
      yield* settled
      assert.deepStrictEqual(log, ["started"])
      yield* TestClock.adjust(1)
      yield* settled
      assert.deepStrictEqual(log, ["started", "interrupted"])
      yield* openFinalizer
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
      assert.deepStrictEqual(yield* ended(parent), Exit.void)
      assert.deepStrictEqual([log.at(-1), parent.heard.at(-1)], ["closed", "Bye"])
    })
  )

  it.effect("leaves calls that have not ended after cancelGrace, without a goodbye", () =>
    Effect.gen(function* () {
      const { fn, log } = yield* gated
      const parent = yield* session([fn, never], { cancelGrace: 3_000 })
      const id = parent.request(fn, undefined)
      const other = parent.request(never, undefined)
      yield* when(() => log.length === 1)
      parent.drain(10_000)
      yield* settled
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(yield* parent.final(other), { kind: "Interrupted" })
      yield* TestClock.adjust(2_999)
      yield* settled
      assert.isFalse(parent.isDone)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* ended(parent), Exit.void)
      assert.deepStrictEqual(parent.finals(id), [])
      assert.deepStrictEqual(parent.heard, ["Hello", "Draining", "Interrupted"])
    })
  )

  it.effect("that the runner starts itself has its parent's budget", () =>
    Effect.gen(function* () {
      const parent = yield* session([never], { drainTimeout: 7_000 })
      const id = parent.request(never, undefined)
      yield* settled
      parent.server.drain()
      yield* when(() => parent.heard.includes("Draining"))
      yield* TestClock.adjust(6_999)
      yield* settled
      assert.deepStrictEqual(parent.finals(id), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
    })
  )

  it.effect("requested again keeps the budget that ends first, and is announced once", () =>
    Effect.gen(function* () {
      const parent = yield* session([never])
      const id = parent.request(never, undefined)
      yield* settled
      for (const budget of [20_000, 5_000, 60_000]) parent.drain(budget)
      yield* settled
      yield* TestClock.adjust(4_999)
      yield* settled
      assert.deepStrictEqual(parent.finals(id), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
      yield* ended(parent)
      assert.deepStrictEqual(parent.heard, ["Hello", "Draining", "Interrupted", "Bye"])
    })
  )

  it.effect("waits until large results have left, and at its end gives up those that the parent does not read", () =>
    Effect.gen(function* () {
      for (const isRead of [true, false]) {
        const parent = yield* session([size], { cancelGrace: 3_000 })
        const id = parent.request(size, { size: 5_000_000 })
        parent.drain(10_000)
        parent.transport.freeze(true)
        yield* settled
        yield* TestClock.adjust(12_999)
        yield* settled
        assert.isFalse(parent.isDone)
        if (isRead) parent.transport.freeze(false)
        yield* settled
        if (!isRead) yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* Effect.exit(parent.done), Exit.void)
        parent.transport.freeze(false)
        yield* when(() => parent.probe.closed.length > 0)
        assert.strictEqual(parent.finals(id).length, isRead ? 1 : 0)
        assert.strictEqual(parent.heard.includes("Bye"), isRead)
      }
    })
  )

  it.effect("refuses a large Request that is in transit, without waiting for it", () =>
    Effect.gen(function* () {
      const { fn, log, open, openFinalizer } = yield* gated
      const parent = yield* session([fn, take])
      parent.request(fn, undefined)
      yield* when(() => log.length === 1)
      parent.drain(10_000)
      const whole = parent.request(take, noise(1_000_000, 1))
      assert.deepStrictEqual(yield* parent.final(whole), { kind: "Refused", value: { why: "draining" } })
      yield* Effect.andThen(open, openFinalizer)
      assert.deepStrictEqual(yield* ended(parent), Exit.void)
    })
  )

  it.effect("requested by a function in its first turn waits for that function", () =>
    Effect.gen(function* () {
      const drain: { now: () => void } = { now: () => {} }
      const last = Flame.fn("last", { success: Schema.String }, () =>
        Effect.sync(() => {
          drain.now()
          return "said"
        })
      )
      const parent = yield* session([last])
      drain.now = () => parent.server.drain(1_000)
      assert.deepStrictEqual(yield* parent.call(last, undefined), { kind: "Success", value: "said" })
      assert.deepStrictEqual(yield* ended(parent), Exit.void)
      assert.deepStrictEqual(parent.heard, ["Hello", "Draining", "Success", "Bye"])
    })
  )
})

describe("abort", () => {
  it.effect("interrupts calls, waits for their finalizers and completes with the session", () =>
    Effect.gen(function* () {
      const { fn, log, openFinalizer } = yield* gated
      const parent = yield* session([fn])
      const id = parent.request(fn, undefined)
      yield* when(() => log.length === 1)
      const abort = yield* Effect.forkChild(parent.server.abort)
      yield* settled
      yield* TestClock.adjust(0)
      yield* settled
      assert.deepStrictEqual(log, ["started", "interrupted"])
      assert.isUndefined(abort.pollUnsafe())
      yield* openFinalizer
      yield* Fiber.join(abort)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
    })
  )

  it.effect("does not wait for the budget of a drain that has begun", () =>
    Effect.gen(function* () {
      const parent = yield* session([never])
      parent.request(never, undefined)
      yield* settled
      parent.server.drain(60_000)
      yield* settled
      const abort = yield* Effect.forkChild(parent.server.abort)
      yield* settled
      yield* TestClock.adjust(0)
      yield* Fiber.join(abort)
    })
  )

  it.effect("before the Welcome ends the runner at once", () =>
    Effect.gen(function* () {
      const parent = yield* introduced([noop])
      const abort = yield* Effect.forkChild(parent.server.abort)
      yield* settled
      yield* TestClock.adjust(0)
      yield* Fiber.join(abort)
    })
  )
})

describe("a runner whose session is lost", () => {
  it.effect("ends at once if it has no calls", () =>
    Effect.gen(function* () {
      const parent = yield* session([noop])
      yield* parent.call(noop, undefined)
      parent.link.destroy()
      assert.deepStrictEqual(yield* Effect.exit(parent.done), Exit.void)
    })
  )

  it.effect("interrupts its calls, and waits for their finalizers", () =>
    Effect.gen(function* () {
      const { fn, log, openFinalizer } = yield* gated
      const parent = yield* session([fn])
      parent.request(fn, undefined)
      yield* when(() => log.length === 1)
      parent.link.destroy()
      yield* when(() => log.length === 2)
      yield* settled
      assert.isFalse(parent.isDone)
      yield* openFinalizer
      assert.deepStrictEqual(yield* Effect.exit(parent.done), Exit.void)
      assert.deepStrictEqual(log, ["started", "interrupted", "closed"])
    })
  )

  it.effect("waits for finalizers at most cancelGrace", () =>
    Effect.gen(function* () {
      const { fn, log } = yield* gated
      const parent = yield* session([fn], { cancelGrace: 4_000 })
      parent.request(fn, undefined)
      yield* when(() => log.length === 1)
      parent.link.destroy()
      yield* when(() => log.length === 2)
      yield* settled
      yield* TestClock.adjust(3_999)
      yield* settled
      assert.isFalse(parent.isDone)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Effect.exit(parent.done), Exit.void)
    })
  )
})

describe("a runner ends its session with the reason when its parent sends", () => {
  const request = (index: number) => Buffer.from(encodeHead(index, undefined, undefined, undefined))
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Buffer>, RegExp]> = [
    [
      "a function that it does not serve",
      [frame(Kind.Request, 5, request(7))],
      /a Request that is not understood here/
    ],
    [
      "the id of a call that runs",
      [frame(Kind.Request, 5, request(0)), frame(Kind.Request, 5, request(0))],
      /a Request that is not understood here/
    ],
    ["a head cut short", [frame(Kind.Request, 5, request(0).subarray(0, 2))], /a Request that is not understood here/],
    ["what only runners send", [frame(Kind.Pong, 0)], /a Pong frame, which a parent must not send/],
    [
      "an answer to a call that no function made",
      [frame(Kind.Success, 5)],
      /a Success frame for a nested call that is not there/
    ],
    ["a call of a function", [frame(Kind.Nested, 5)], /a Nested frame, which a parent must not send/],
    [
      "messages as a runner sends them",
      [frame(Kind.ItemsResponse, 1, u32(0))],
      /a ItemsResponse frame, which a parent must not send/
    ],
    [
      "a grant as a runner gives it",
      [frame(Kind.GrantRequest, 1, u32(5))],
      /a GrantRequest frame, which a parent must not send/
    ],
    ["a Hello", [frame(Kind.Hello, 0, json({}))], /a Hello frame, which a parent must not send/],
    ["a kind that is unknown", [frame(99, 0)], /unknown kind 99/],
    [
      "a Welcome that is none",
      [frame(Kind.Welcome, 0, json({ cancelGrace: "5 seconds" }))],
      /a Welcome that is not understood here/
    ],
    [
      "a payload above its own limit",
      [frame(Kind.OpenRequest, 5, open(1e9, Kind.Request))],
      /a Request of 1000000000 bytes, the limit is 10000000/
    ],
    [
      "a large result",
      [frame(Kind.OpenResponse, 5, open(1e6, Kind.Success))],
      /a large Success for a nested call that is not there/
    ],
    [
      "a large Request for a call that runs",
      [frame(Kind.Request, 5, request(0)), frame(Kind.OpenRequest, 5, open(1e6, Kind.Request))],
      /a large Request for call 5/
    ],
    ["garbage", [Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")], /frame of 1213486160 bytes, the limit is 262144/]
  ]
  for (const [name, sent, said] of cases) {
    it.effect(name, () => {
      const logged: Array<string> = []
      const logger = Logger.make<unknown, void>(
        ({ logLevel, message }) => void logged.push(`${logLevel} ${String(message)}`)
      )
      return Effect.gen(function* () {
        const parent = yield* session([never])
        parent.request(never, undefined, { id: 3 })
        yield* settled
        parent.transport.write(sent)
        assert.deepStrictEqual(yield* Effect.exit(parent.done), Exit.void)
        assert.strictEqual(logged.length, 1)
        assert.match(logged[0] ?? "", /^Error the connection to the parent was ended: it sent /)
        assert.match(logged[0] ?? "", said)
      }).pipe(Effect.provide(Logger.layer([logger])))
    })
  }

  it.effect("a Request before Welcome", () =>
    Effect.gen(function* () {
      const parent = yield* introduced([noop])
      parent.request(noop, undefined)
      assert.deepStrictEqual(yield* Effect.exit(parent.done), Exit.void)
      assert.deepStrictEqual(parent.heard, ["Hello"])
    })
  )
})

describe("a Refuse frame that cannot be read", () => {
  it.effect("still ends the runner with a failure", () =>
    Effect.gen(function* () {
      for (const body of [
        Buffer.from("{"),
        json(null),
        json({ _tag: "Crashed" }),
        json([new Crashed({ exitCode: 1, detail: "" })])
      ]) {
        const parent = yield* introduced([noop])
        parent.link.send(Kind.Refuse, 0, none, body)
        const exit = yield* ended(parent)
        assert.deepStrictEqual(
          exit,
          Exit.fail(new NotARunner({ detail: "it refused with a reason that cannot be read here" }))
        )
      }
    })
  )
})
