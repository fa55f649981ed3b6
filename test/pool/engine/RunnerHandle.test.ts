import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import {
  type BootFailure,
  Crashed,
  NeverConnected,
  NotARunner,
  VersionMismatch
} from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { LogArrival } from "../../../src/pool/life/LogArrival.ts"
import { connect, type RunnerTerms } from "../../../src/pool/engine/Introduction.ts"
import type { RunnerCall, RunnerHandle } from "../../../src/pool/engine/RunnerHandle.ts"
import { encode, fail, frameLimit, json, Kind, kindName, protocol } from "../../../src/wire/Frame.ts"
import type { LinkClosed } from "../../../src/wire/Link.ts"
import { decodeHead } from "../../../src/wire/Request.ts"
import { memoryPair, type MemoryTransport } from "../../../src/wire/Transport.ts"
import { frame, noise, none, open } from "../../wire/kit.ts"
import { type Probe, probe } from "../../wire/probe.ts"
import { settled, terms as limits, when } from "../../runner/ScriptedParent.ts"

const terms: RunnerTerms = { ...limits, runner: "r1", life: "life-1", fingerprints: new Map() }
const said = { protocol, build: "build-1", runner: "r1", life: "life-1", functions: [["double", "a-b-c"]] }
const hello = (changes: Record<string, unknown> = {}) => encode(Kind.Hello, 0, json({ ...said, ...changes }))

/** A runner whose frames a test sends one by one. */
interface ScriptedRunner {
  readonly probe: Probe
  readonly transport: MemoryTransport
  /** The parent's end of the connection. */
  readonly parents: MemoryTransport
  readonly say: (...frames: ReadonlyArray<Uint8Array>) => void
}

const dialled = (): ScriptedRunner => {
  const [transport, parents] = memoryPair()
  return { probe: probe(transport), transport, parents, say: (...frames) => transport.write(frames) }
}

/** Answers of the parent to the first frames of a runner. */
const answer = (...frames: ReadonlyArray<Uint8Array>) =>
  Effect.gen(function* () {
    const runner = dialled()
    runner.say(...frames)
    const cause = yield* Effect.flip(connect(runner.parents, terms))
    yield* settled
    return { cause, heard: runner.probe.messages, closed: runner.probe.closed }
  })

interface Heard {
  readonly events: Array<string>
  readonly closed: Array<LinkClosed>
}

/** A session, and the pool's events of it. */
const session = (changes: Partial<RunnerTerms> = {}) =>
  Effect.gen(function* () {
    const runner = dialled()
    runner.say(hello())
    const handle = yield* connect(runner.parents, { ...terms, ...changes })
    const heard: Heard = { events: [], closed: [] }
    handle.events = {
      draining: () => heard.events.push("draining"),
      responsive: (answers) => heard.events.push(answers ? "responsive" : "unresponsive"),
      closed: (how) => heard.closed.push(how)
    }
    yield* settled
    runner.probe.messages.length = 0
    return { ...runner, handle, heard }
  })

interface TestCall extends RunnerCall {
  readonly finals: Array<{ readonly kind: string; readonly body: string }>
}

const request = (handle: RunnerHandle, payload: Uint8Array = none): TestCall => {
  const call: TestCall = {
    linkId: 0,
    turn: 0,
    finals: [],
    final: (kind, body, large) => call.finals.push({ kind: kindName(kind), body: String(Buffer.from(large ?? body)) })
  }
  handle.request(call, 0, undefined, undefined, undefined, payload)
  return call
}

const heardOf = ({ messages }: Probe) => messages.map(({ id, kind }) => `${kindName(kind)} ${id}`)

describe("the handshake on the parent's side", () => {
  it.effect("accepts the expected runner, and sends it the limits", () =>
    Effect.gen(function* () {
      const runner = dialled()
      const fiber = yield* Effect.forkChild(connect(runner.parents, terms))
      yield* settled
      assert.isUndefined(fiber.pollUnsafe())
      // Byte by byte, as over a slow connection.
      for (const byte of hello()) runner.say(new Uint8Array([byte]))
      const handle = yield* Fiber.join(fiber)
      assert.deepStrictEqual(handle.hello, { ...said, functions: [["double", "a-b-c"]] })
      yield* settled
      const [welcome, ...more] = runner.probe.messages
      assert.deepStrictEqual([welcome?.kind, JSON.parse(String(welcome?.body)), more], [Kind.Welcome, limits, []])
    })
  )

  it.effect("accepts a Hello with thousands of functions, and refuses one beyond the size limit of a frame", () =>
    Effect.gen(function* () {
      const functions = (count: number) =>
        Array.from({ length: count }, (_, i) => [`function ${i}`.padEnd(60), "0123456789-0123456789-0123456789"])
      const runner = dialled()
      runner.say(hello({ functions: functions(2_000) }))
      assert.strictEqual((yield* connect(runner.parents, terms)).hello.functions.length, 2_000)
      const { cause } = yield* answer(hello({ functions: functions(4_000) }))
      assert.match(
        cause.message,
        new RegExp(`it does not speak this protocol: Hello frame of \\d+ bytes, the limit is ${frameLimit}`)
      )
    })
  )

  it.effect("refuses another runner, tells it so, and closes", () =>
    Effect.gen(function* () {
      const { cause, closed, heard } = yield* answer(hello({ runner: "r2" }))
      assert.deepStrictEqual(
        cause,
        new NotARunner({ detail: "it is runner r2 of life life-1, expected was r1 of life-1" })
      )
      assert.deepStrictEqual(
        heard.map(({ kind }) => kindName(kind)),
        ["Refuse"]
      )
      assert.deepStrictEqual(JSON.parse(String(heard[0]?.body)), { _tag: "NotARunner", detail: cause.message })
      assert.strictEqual(closed.length, 1)
    })
  )

  it.effect("refuses a runner that starts with another frame, once, whatever follows", () =>
    Effect.gen(function* () {
      for (const kind of [Kind.Success, Kind.Pong, Kind.Bye, Kind.Welcome, 99]) {
        const { cause, heard } = yield* answer(frame(kind, 1), hello(), frame(Kind.Pong, 1))
        assert.instanceOf(cause, NotARunner)
        assert.isAtMost(heard.length, 1)
      }
      const { cause } = yield* answer(frame(Kind.Pong, 1))
      assert.strictEqual(cause.message, "it began with a Pong frame instead of Hello")
    })
  )

  it.effect("fails with the cause that the runner reports", () =>
    Effect.gen(function* () {
      const given = new Crashed({ exitCode: 3, detail: "no database" })
      const { cause, closed } = yield* answer(fail(given))
      assert.deepStrictEqual(cause, given)
      assert.instanceOf(cause, Crashed)
      assert.strictEqual(closed.length, 1)
    })
  )

  it.effect("quotes the bytes that arrived instead of frames", () =>
    Effect.gen(function* () {
      const { cause } = yield* answer(Buffer.from("listening on port 3000\n"))
      assert.match(
        cause.message,
        /^it does not speak this protocol: unknown kind \d+ frame of \d+ bytes, the limit is 262144$/
      )
      const { cause: large } = yield* answer(frame(Kind.OpenResponse, 1, open(1e6, Kind.Success)))
      assert.strictEqual(
        large.message,
        "it does not speak this protocol: a large Success for call 1, which it does not hold"
      )
    })
  )

  it.effect("leaves an early end to the backend for a second, then reports what it has seen itself", () =>
    Effect.gen(function* () {
      const runner = dialled()
      const fiber = yield* Effect.forkChild(Effect.flip(connect(runner.parents, terms)))
      runner.transport.end()
      yield* settled
      yield* TestClock.adjust(999)
      yield* settled
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.instanceOf(yield* Fiber.join(fiber), NeverConnected)
    })
  )

  it.effect("closes the connection when it is given up", () =>
    Effect.gen(function* () {
      const runner = dialled()
      const fiber = yield* Effect.forkChild(connect(runner.parents, terms))
      yield* settled
      yield* Fiber.interrupt(fiber)
      yield* when(() => runner.probe.closed.length === 1)
    })
  )

  it.effect("keeps frames that arrive right behind Hello", () =>
    Effect.gen(function* () {
      const runner = dialled()
      runner.say(hello(), frame(Kind.Draining, 0), frame(Kind.Bye, 0))
      const handle = yield* connect(runner.parents, terms)
      yield* settled
      assert.isTrue(handle.isDraining)
      assert.isTrue(handle.saidGoodbye)
      yield* when(() => handle.link.closed)
    })
  )
})

describe("a runner's handle", () => {
  const double = Flame.fn("double", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) =>
    Effect.succeed(n * 2)
  )
  const other = Flame.fn("other", {}, () => Effect.void)

  it.effect("knows the functions of its runner by name, if both have the same layout", () =>
    Effect.gen(function* () {
      const runner = dialled()
      runner.say(
        hello({
          functions: [
            ["first", "x"],
            ["double", double.layout]
          ]
        })
      )
      const handle = yield* connect(runner.parents, terms)
      assert.deepStrictEqual([handle.indexOf(double), handle.indexOf(double), handle.indexOf(other)], [1, 1, undefined])
    })
  )

  it.effect("names both layouts if they differ", () =>
    Effect.gen(function* () {
      const { handle } = yield* session()
      const expected = new VersionMismatch({
        what: "the schemas of double",
        parent: `layout ${double.layout}`,
        runner: "layout a-b-c (build build-1)"
      })
      assert.deepStrictEqual(handle.indexOf(double) as BootFailure, expected)
    })
  )

  it.effect("sends a call with everything that crosses", () =>
    Effect.gen(function* () {
      const { handle, probe } = yield* session()
      const call = request(handle)
      const span = { traceId: "0123456789abcdef".repeat(2), spanId: "fedcba9876543210", sampled: true }
      const extras = { annotations: { a: 1 } }
      handle.request({ ...call }, 7, 1_500, span, extras, Buffer.from("payload"))
      yield* when(() => probe.messages.length === 2)
      const body = probe.messages[1]?.body ?? Buffer.alloc(0)
      const head = decodeHead(body)
      assert.deepStrictEqual(head, {
        functionIndex: 7,
        budget: 1_500,
        span,
        extras,
        isTimed: false,
        isNested: false,
        end: body.length - 7
      })
      assert.strictEqual(String(body.subarray(head?.end)), "payload")
    })
  )

  it.effect("gives each call its final frame, and reuses the call's id only afterwards", () =>
    Effect.gen(function* () {
      const { handle, say } = yield* session()
      const [a, b, c] = [request(handle), request(handle), request(handle)]
      assert.deepStrictEqual([a.linkId, b.linkId, c.linkId, handle.inFlight], [1, 2, 3, 3])
      handle.cancel(b)
      assert.strictEqual(request(handle).linkId, 4)
      say(frame(Kind.Interrupted, 2), frame(Kind.Success, 1, Buffer.from("one")))
      yield* when(() => a.finals.length === 1)
      assert.deepStrictEqual(
        [a.finals, b.finals, c.finals],
        [[{ kind: "Success", body: "one" }], [{ kind: "Interrupted", body: "" }], []]
      )
      assert.strictEqual(handle.inFlight, 2)
      assert.deepStrictEqual(
        new Set([request(handle).linkId, request(handle).linkId, request(handle).linkId]),
        new Set([1, 2, 5])
      )
      assert.strictEqual(handle.inFlight, 5)
    })
  )

  it.effect("can send the next call from the handler of a final frame, with the id that is free then", () =>
    Effect.gen(function* () {
      const { handle, probe, say } = yield* session()
      let next: TestCall | undefined
      const call: RunnerCall = { linkId: 0, turn: 0, final: () => void (next = request(handle)) }
      handle.request(call, 0, undefined, undefined, undefined, none)
      say(frame(Kind.Success, 1))
      yield* when(() => probe.messages.length === 2)
      assert.strictEqual(next?.linkId, 1)
      say(frame(Kind.Failure, 1, Buffer.from("second")))
      yield* when(() => next?.finals.length === 1)
      assert.deepStrictEqual(next?.finals, [{ kind: "Failure", body: "second" }])
    })
  )

  it.effect("delivers large results whole, and drops one that is overtaken by another final frame", () =>
    Effect.gen(function* () {
      const { handle, heard, probe, say } = yield* session()
      const [whole, cut] = [request(handle), request(handle)]
      probe.link.send(Kind.Success, whole.linkId, none, Buffer.alloc(500_000, "x"))
      probe.link.send(Kind.Success, cut.linkId, none, Buffer.alloc(2_000_000, "y"))
      probe.link.abandon(cut.linkId, "response")
      probe.link.control(Kind.Interrupted, cut.linkId)
      yield* when(() => whole.finals.length + cut.finals.length === 2)
      assert.deepStrictEqual(whole.finals, [{ kind: "Success", body: "x".repeat(500_000) }])
      assert.deepStrictEqual(cut.finals, [{ kind: "Interrupted", body: "" }])
      // The id is free for another large result.
      const again = [request(handle), request(handle)].find(({ linkId }) => linkId === cut.linkId) ?? assert.fail()
      say(
        frame(Kind.OpenResponse, again.linkId, open(40_000, Kind.Success)),
        frame(Kind.PartResponse, again.linkId, noise(40_000, 1))
      )
      yield* when(() => again.finals.length === 1)
      assert.deepStrictEqual(heard.closed, [])
    })
  )

  it.effect("knows which calls were not sent, and that no unanswered call has run after a goodbye", () =>
    Effect.gen(function* () {
      const { handle, heard, say } = yield* session()
      const call = request(handle)
      assert.isFalse(handle.wasSent(call))
      yield* settled
      assert.isTrue(handle.wasSent(call))
      const next = request(handle)
      assert.deepStrictEqual([handle.wasSent(call), handle.wasSent(next)], [true, false])
      yield* settled
      say(frame(Kind.Draining, 0), frame(Kind.Bye, 0))
      yield* when(() => heard.closed.length === 1)
      assert.isTrue(handle.saidGoodbye)
      assert.deepStrictEqual([heard.events, heard.closed], [["draining"], [{ violation: undefined, error: undefined }]])
    })
  )

  it.effect("does not know which calls have run when a session just ends", () =>
    Effect.gen(function* () {
      const { handle, heard, transport } = yield* session()
      const call = request(handle)
      yield* settled
      transport.end()
      yield* when(() => heard.closed.length === 1)
      assert.deepStrictEqual([handle.wasSent(call), handle.saidGoodbye], [true, false])
    })
  )

  it.effect("cancels a call, its large payload included, but not a call that has ended", () =>
    Effect.gen(function* () {
      const { handle, probe, say } = yield* session()
      const [small, large] = [request(handle), request(handle, noise(5_000_000, 1))]
      handle.cancel(small)
      handle.cancel(large)
      yield* settled
      assert.deepStrictEqual(heardOf(probe), ["Request 1", "Cancel 1", "Cancel 2"])
      assert.isTrue(probe.link.forget(2, "request"))
      say(frame(Kind.Success, 1), frame(Kind.Interrupted, 2))
      yield* when(() => handle.inFlight === 0)
      const reused = [request(handle), request(handle)]
      handle.cancel(small)
      handle.cancel(large)
      yield* settled
      assert.deepStrictEqual(
        heardOf(probe).slice(3),
        reused.map(({ linkId }) => `Request ${linkId}`)
      )
    })
  )

  it.effect("sends its runner a drain within the range of the frame", () =>
    Effect.gen(function* () {
      const { handle, probe } = yield* session()
      for (const budget of [1_500, 0.5, -3, Infinity]) handle.drain(budget)
      yield* settled
      assert.deepStrictEqual(
        probe.messages.map(({ body }) => body.readUInt32BE(0)),
        [1_500, 1, 0, 0xffffffff]
      )
    })
  )

  it.effect("is unresponsive if a ping is unanswered when the next is due, and reports each change once", () =>
    Effect.gen(function* () {
      const { handle, heard, probe, say } = yield* session()
      const pong = Effect.gen(function* () {
        const { pongs } = handle
        say(frame(Kind.Pong, 0))
        yield* when(() => handle.pongs > pongs)
      })
      handle.ping()
      yield* pong
      handle.ping()
      assert.deepStrictEqual([heard.events, handle.isResponsive], [[], true])
      handle.ping()
      handle.ping()
      assert.deepStrictEqual([heard.events, handle.isResponsive], [["unresponsive"], false])
      // No ping is sent while another is unanswered.
      yield* settled
      assert.deepStrictEqual(heardOf(probe), ["Ping 0", "Ping 0"])
      yield* pong
      yield* pong
      assert.deepStrictEqual([heard.events, handle.isResponsive], [["unresponsive", "responsive"], true])
      handle.ping()
      handle.ping()
      assert.deepStrictEqual(heard.events, ["unresponsive", "responsive", "unresponsive"])
    })
  )

  it.effect("does not count an extra ping as unanswered when the next regular ping is due", () =>
    Effect.gen(function* () {
      const { handle, heard, probe } = yield* session()
      handle.probe()
      handle.probe()
      handle.ping()
      assert.deepStrictEqual(heard.events, [])
      handle.ping()
      assert.deepStrictEqual(heard.events, ["unresponsive"])
      yield* settled
      // Each ping was sent, because only the answer to a later ping proves that the event loop turns.
      assert.deepStrictEqual(heardOf(probe), ["Ping 0", "Ping 0", "Ping 0"])
    })
  )
})

describe("a session on the parent's side", () => {
  it.effect("reports the run time to a call that asks for it, right before its answer", () =>
    Effect.gen(function* () {
      const { handle, heard, say } = yield* session()
      const times: Array<number> = []
      const call: RunnerCall = {
        linkId: 0,
        turn: 0,
        isTimed: true,
        ran: (millis) => times.push(millis),
        final: () => times.push(-1)
      }
      handle.request(call, 0, undefined, undefined, undefined, none)
      const millis = Buffer.alloc(8)
      millis.writeDoubleBE(12.5)
      say(frame(Kind.Ran, 1, millis), frame(Kind.Success, 1))
      yield* when(() => times.length === 2)
      assert.deepStrictEqual([times, heard.closed], [[12.5, -1], []])
    })
  )

  it.effect("ends at a run time that is no number, and at log lines that cannot be read", () =>
    Effect.gen(function* () {
      for (const body of [
        Buffer.alloc(7),
        Buffer.from("fff8000000000000", "hex"),
        Buffer.from("bff0000000000000", "hex")
      ]) {
        const { handle, heard, say } = yield* session()
        handle.request({ linkId: 0, turn: 0, isTimed: true, final() {} }, 0, undefined, undefined, undefined, none)
        say(frame(Kind.Ran, 1, body))
        yield* when(() => heard.closed.length === 1)
        assert.match(heard.closed[0]?.violation ?? "", /^a Ran frame/)
      }
      const { handle, heard, say } = yield* session()
      const log = new LogArrival("pool", "r1")
      handle.reports = (_, body) => log.take(body, () => assert.fail())
      say(frame(Kind.Logs, 0, Buffer.from("[{}]")))
      yield* when(() => heard.closed.length === 1)
      assert.strictEqual(heard.closed[0]?.violation, "a Logs frame with a line that is not understood here")
    })
  )
})

describe("a session ends with the reason when its runner sends", () => {
  const cases: ReadonlyArray<readonly [name: string, sent: ReadonlyArray<Uint8Array>, violation: string]> = [
    [
      "the answer of a call that it does not hold",
      [frame(Kind.Success, 2)],
      "a Success frame for call 2, which it does not hold"
    ],
    ["an answer for no call", [frame(Kind.Failure, 0)], "a Failure frame for call 0, which it does not hold"],
    [
      "an answer for the last id there could be",
      [frame(Kind.Refused, 0xffffffff)],
      "a Refused frame for call 4294967295, which it does not hold"
    ],
    [
      "a second answer",
      [frame(Kind.Success, 1), frame(Kind.Success, 1)],
      "a Success frame for call 1, which it does not hold"
    ],
    [
      "a large answer of a call that it does not hold",
      [frame(Kind.OpenResponse, 2, open(1e6, Kind.Success))],
      "a large Success for call 2, which it does not hold"
    ],
    [
      "a result above its limit",
      [frame(Kind.OpenResponse, 1, open(10_000_001, Kind.Success))],
      "a result of 10000001 bytes, the limit is 10000000"
    ],
    [
      "a large request",
      [frame(Kind.OpenRequest, 1, open(1e6, Kind.Request))],
      "a large Request for call 1, which it does not hold"
    ],
    [
      "messages of a call that is no channel",
      [frame(Kind.ItemsResponse, 1, Buffer.from([0]))],
      "an ItemsResponse frame for call 1, which is no channel here"
    ],
    [
      "a grant for a call that is no channel",
      [frame(Kind.GrantRequest, 1, Buffer.alloc(4))],
      "a GrantRequest frame for call 1, which is no channel here"
    ],
    [
      "messages as a parent sends them",
      [frame(Kind.ItemsRequest, 1, Buffer.from([0]))],
      "an ItemsRequest frame for call 1, which is no channel here"
    ],
    ["a second Hello", [hello()], "a Hello frame, which a runner must not send"],
    ["a Request", [frame(Kind.Request, 1)], "a Request frame, which a runner must not send"],
    ["a Cancel", [frame(Kind.Cancel, 1)], "a Cancel frame, which a runner must not send"],
    ["a Ping", [frame(Kind.Ping, 1)], "a Ping frame, which a runner must not send"],
    ["a Drain", [frame(Kind.Drain, 1)], "a Drain frame, which a runner must not send"],
    ["a Welcome", [frame(Kind.Welcome, 1)], "a Welcome frame, which a runner must not send"],
    [
      "how long a call ran that did not ask",
      [frame(Kind.Ran, 1, Buffer.alloc(8))],
      "a Ran frame for call 1, which did not ask"
    ],
    [
      "how long a call ran that it does not hold",
      [frame(Kind.Ran, 2, Buffer.alloc(8))],
      "a Ran frame for call 2, which did not ask"
    ],
    ["a kind between those that exist", [frame(40, 1)], "a unknown kind 40 frame, which a runner must not send"]
  ]
  for (const [name, sent, violation] of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const bystander = yield* session()
        const { handle, heard, probe, say } = yield* session()
        const call = request(handle)
        say(...sent, frame(Kind.Success, 1))
        yield* when(() => heard.closed.length === 1)
        assert.deepStrictEqual(heard.closed, [{ violation, error: undefined }])
        assert.isAtMost(call.finals.length, 1)
        yield* when(() => probe.closed.length === 1)
        const other = request(bystander.handle)
        bystander.say(frame(Kind.Success, 1))
        yield* when(() => other.finals.length === 1)
      })
    )
  }
})
