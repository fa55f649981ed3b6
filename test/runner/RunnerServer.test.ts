import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Tracer from "effect/Tracer"
import { TestClock } from "effect/testing"
import * as Flame from "../../src/Flame.ts"
import { Current } from "../../src/FlameRunner.ts"
import { Kind } from "../../src/wire/Frame.ts"
import { encodeHead } from "../../src/wire/Request.ts"
import { noise } from "../wire/kit.ts"
import { session, settled, when } from "./ScriptedParent.ts"

class TooHeavy extends Schema.TaggedError<TooHeavy>()("TooHeavy", { limit: Schema.Int }) {}

const double = Flame.fn("double", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * 2))
const bytes = Flame.fn("bytes", { payload: Schema.Uint8Array, success: Schema.Uint8Array }, Effect.succeed)
const size = Flame.fn("size", { payload: { size: Schema.Int }, success: Schema.Uint8Array }, ({ size }) =>
  Effect.succeed(noise(size, 1))
)

/** A function that runs the effect of the test. */
const doing = <R = never>(effect: Effect.Effect<unknown, TooHeavy, R>) =>
  Flame.fn("doing", { success: Schema.Json, error: TooHeavy }, () => effect as Effect.Effect<Schema.Json, TooHeavy, R>)

/** The single final frame of one call of that function. */
const finalOf = <R = never>(effect: Effect.Effect<unknown, TooHeavy, R>) =>
  Effect.gen(function* () {
    const fn = doing(effect)
    const parent = yield* session([fn])
    const final = yield* parent.call(fn, undefined)
    yield* settled
    assert.strictEqual(parent.finals(1).length, 1)
    return final
  })

/** Name and message of a Defect frame. */
const defect = ({ kind, value }: { readonly kind: string; readonly value?: unknown }) => {
  const { message, name } = value as { readonly message: string; readonly name: string }
  return { kind, message, name }
}

describe("a function on its runner", () => {
  it.effect("answers with its success value", () =>
    Effect.gen(function* () {
      const parent = yield* session([double, bytes])
      assert.deepStrictEqual(yield* parent.call(double, { n: 21 }), { kind: "Success", value: 42 })
      assert.deepStrictEqual(yield* parent.call(bytes, noise(5, 1)), {
        kind: "Success",
        value: new Uint8Array(noise(5, 1))
      })
    })
  )

  it.effect("reports its run time if the call asks for it, right before the final frame only", () =>
    Effect.gen(function* () {
      const parent = yield* session([bytes, double])
      const kinds = () => parent.probe.messages.map(({ id, kind }) => [kind, id])
      yield* parent.call(double, { n: 1 })
      assert.notInclude(kinds().flat(), Kind.Ran)
      parent.probe.messages.length = 0
      const id = parent.request(double, { n: 1 }, { isTimed: true })
      yield* parent.final(id)
      const large = parent.request(bytes, noise(1_000_000, 1), { isTimed: true })
      yield* parent.final(large)
      assert.deepStrictEqual(kinds(), [
        [Kind.Ran, id],
        [Kind.Success, id],
        [Kind.Ran, large],
        [Kind.Success, large]
      ])
      assert.isAtLeast(parent.probe.messages[0]?.body.readDoubleBE(0) ?? -1, 0)
    })
  )

  it.effect("receives and returns large values", () =>
    Effect.gen(function* () {
      const parent = yield* session([bytes])
      const { kind, value } = yield* parent.call(bytes, noise(3_000_000, 1))
      assert.strictEqual(kind, "Success")
      assert.isTrue(noise(3_000_000, 1).equals(value as Uint8Array))
    })
  )

  it.effect("fails with instances of its errors", () =>
    Effect.gen(function* () {
      const final = yield* finalOf(Effect.fail(new TooHeavy({ limit: 5 })))
      assert.deepStrictEqual(final, { kind: "Failure", value: new TooHeavy({ limit: 5 }) })
      assert.instanceOf(final.value, TooHeavy)
    })
  )

  it.effect("dies with name, message and stack", () =>
    Effect.gen(function* () {
      const final = yield* finalOf(Effect.die(new RangeError("too far")))
      assert.deepStrictEqual(defect(final), { kind: "Defect", name: "RangeError", message: "too far" })
      assert.match((final.value as { readonly stack: string }).stack, /RunnerServer\.test\.ts/)
    })
  )

  it.effect("dies when its code throws before it returns an Effect, or returns something else", () =>
    Effect.gen(function* () {
      const throwing = Flame.fn("throwing", {}, () => {
        throw new Error("thrown")
      })
      const promising = Flame.fn("promising", {}, (() => Promise.resolve(1)) as unknown as () => Effect.Effect<void>)
      const parent = yield* session([throwing, promising])
      assert.deepStrictEqual(defect(yield* parent.call(throwing, undefined)), {
        kind: "Defect",
        name: "Error",
        message: "thrown"
      })
      assert.strictEqual((yield* parent.call(promising, undefined)).kind, "Defect")
      assert.deepStrictEqual(parent.probe.closed, [])
    })
  )

  it.effect("reports the defect when it fails and dies at once", () =>
    Effect.gen(function* () {
      const both = Effect.failCause(
        Cause.combine(Cause.fail(new TooHeavy({ limit: 1 })), Cause.die(new Error("worse")))
      )
      assert.strictEqual(defect(yield* finalOf(both)).message, "worse")
    })
  )

  it.effect("dies when its result does not fit its schema, or its payload cannot be read", () =>
    Effect.gen(function* () {
      const lying = Flame.fn("lying", { success: Schema.Int }, () => Effect.succeed("text" as unknown as number))
      const parent = yield* session([lying, double])
      assert.match(
        defect(yield* parent.call(lying, undefined)).message,
        /the result of lying does not match its schema/
      )
      const id = parent.request(double, { n: 1 })
      yield* parent.final(id)
      parent.link.send(Kind.Request, 77, encodeHead(1, undefined, undefined, undefined), noise(30, 1))
      yield* when(() => parent.finals(77).length > 0)
      assert.strictEqual(parent.finals(77)[0]?.kind, Kind.Defect)
      assert.match(String(parent.finals(77)[0]?.body), /the payload of double cannot be read/)
    })
  )

  it.effect("that interrupts itself has died, because nothing else interrupted it", () =>
    Effect.gen(function* () {
      for (const self of [Effect.interrupt, Effect.flatMap(Effect.yieldNow, () => Effect.interrupt)]) {
        assert.deepStrictEqual(defect(yield* finalOf(self)), {
          kind: "Defect",
          name: "Error",
          message: "the function interrupted itself"
        })
      }
    })
  )

  it.effect("runs concurrently with others, each with its own payload and answer", () =>
    Effect.gen(function* () {
      const slow = Flame.fn("slow", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) =>
        Effect.as(Effect.sleep(1_000 - n), n)
      )
      const parent = yield* session([slow, double])
      const ids = Array.from({ length: 500 }, (_, n) => parent.request(n % 2 === 0 ? slow : double, { n }))
      yield* settled
      yield* TestClock.adjust(1_000)
      const finals = yield* Effect.forEach(ids, (id) => parent.final(id))
      assert.deepStrictEqual(
        finals.map(({ value }) => value),
        ids.map((_, n) => (n % 2 === 0 ? n : 2 * n))
      )
    })
  )

  it.effect("that dies does not affect the others", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const fn = doing(Effect.as(Deferred.await(gate), "fine"))
      const dying = Flame.fn("dying", {}, () => Effect.die("oh"))
      const parent = yield* session([fn, dying])
      const neighbour = parent.request(fn, undefined)
      assert.strictEqual((yield* parent.call(dying, undefined)).kind, "Defect")
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* parent.final(neighbour), { kind: "Success", value: "fine" })
    })
  )

  it.effect("fails with both sizes when its result is larger than its parent accepts", () =>
    Effect.gen(function* () {
      const parent = yield* session([size], { maxResult: 100_000 })
      assert.strictEqual((yield* parent.call(size, { size: 100_000 })).kind, "Success")
      assert.deepStrictEqual(yield* parent.call(size, { size: 100_001 }), {
        kind: "Refused",
        value: { why: "PayloadTooLarge", size: 100_001, limit: 100_000 }
      })
    })
  )
})

describe("the Scope of a function", () => {
  it.effect("closes before the answer is sent", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const log: Array<string> = []
      const fn = doing(
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() =>
            Effect.andThen(
              Deferred.await(gate),
              Effect.sync(() => log.push("first in, last out"))
            )
          )
          yield* Effect.addFinalizer(() => Effect.sync(() => log.push("last in, first out")))
          return "value"
        })
      )
      const parent = yield* session([fn])
      const id = parent.request(fn, undefined)
      yield* when(() => log.length === 1)
      yield* settled
      assert.deepStrictEqual(parent.finals(id), [])
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Success", value: "value" })
      assert.deepStrictEqual(log, ["last in, first out", "first in, last out"])
    })
  )

  it.effect("belongs to one call alone", () =>
    Effect.gen(function* () {
      const scopes = new Set<unknown>()
      const fn = doing(Effect.map(Effect.scope, (scope) => scopes.add(scope).size))
      const parent = yield* session([fn])
      for (const n of [1, 2, 3])
        assert.deepStrictEqual(yield* parent.call(fn, undefined), { kind: "Success", value: n })
    })
  )

  it.effect("passes the exit of the function to its finalizers", () =>
    Effect.gen(function* () {
      const exits: Array<string> = []
      const noting = Effect.addFinalizer((exit) => Effect.sync(() => exits.push(exit._tag)))
      yield* finalOf(noting)
      yield* finalOf(Effect.andThen(noting, Effect.fail(new TooHeavy({ limit: 1 }))))
      assert.deepStrictEqual(exits, ["Success", "Failure"])
    })
  )

  it.effect("turns a success into a defect when a finalizer dies, and keeps a failure as it is", () =>
    Effect.gen(function* () {
      const dying = Effect.addFinalizer(() => Effect.die(new Error("finalizer")))
      assert.deepStrictEqual(defect(yield* finalOf(dying)).message, "finalizer")
      const failing = Effect.andThen(dying, Effect.fail(new TooHeavy({ limit: 1 })))
      assert.strictEqual((yield* finalOf(failing)).kind, "Failure")
    })
  )
})

class Ffmpeg extends Context.Service<Ffmpeg, { readonly version: string }>()("test/Ffmpeg") {}
const Tenant = Context.Reference<string>("test/RunnerServer/Tenant", { defaultValue: () => "nobody" })

describe("the context of a function on its runner", () => {
  it.effect("has the services of its runner", () =>
    finalOf(Effect.map(Ffmpeg, ({ version }) => version)).pipe(
      Effect.provideService(Ffmpeg, { version: "7.1" }),
      Effect.map((final) => assert.deepStrictEqual(final, { kind: "Success", value: "7.1" }))
    )
  )

  it.effect("has the runner that it runs on", () =>
    Effect.gen(function* () {
      const final = yield* finalOf(
        Effect.map(Current, ({ id, parent, pool, remaining }) => [id, pool, parent, remaining ?? null])
      )
      assert.deepStrictEqual(final.value, ["r1", "app/Pool", "process 7", null])
    })
  )

  it.effect("has the remaining budget, down to zero", () =>
    Effect.gen(function* () {
      const fn = doing(
        Effect.gen(function* () {
          const current = yield* Current
          const first = current.remaining
          yield* Effect.sleep("2 seconds")
          const second = current.remaining
          yield* Effect.sleep("1 hour")
          return [first, second, current.remaining]
        })
      )
      const parent = yield* session([fn])
      const id = parent.request(fn, undefined, { budget: 5_000 })
      yield* settled
      yield* TestClock.adjust("2 seconds")
      yield* settled
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual((yield* parent.final(id)).value, [5_000, 3_000, 0])
    })
  )

  it.effect("has the caller's log annotations beside the runner's own, and the caller's minimum log level", () =>
    Effect.gen(function* () {
      const fn = doing(
        Effect.gen(function* () {
          return [yield* References.CurrentLogAnnotations, yield* References.MinimumLogLevel] as const
        })
      )
      const parent = yield* session([fn])
      const extras = { annotations: { user: "ann", where: "caller" }, level: "Debug" } as const
      const { value } = yield* parent.call(fn, undefined, { extras })
      assert.deepStrictEqual(value, [{ runner: "own", user: "ann", where: "caller" }, "Debug"])
      // The next call has none of them.
      assert.deepStrictEqual((yield* parent.call(fn, undefined)).value, [{ runner: "own", where: "runner" }, "Info"])
    }).pipe(Effect.annotateLogs({ runner: "own", where: "runner" }))
  )

  it.effect("has the propagated References, without unknown ones", () =>
    Effect.gen(function* () {
      Flame.propagate(Tenant, Schema.String)
      const fn = doing(Tenant)
      const parent = yield* session([fn])
      const call = (references: Record<string, unknown>) =>
        Effect.map(parent.call(fn, undefined, { extras: { references } }), ({ value }) => value)
      assert.strictEqual(yield* call({ [Tenant.key]: "acme", "other/Reference": 5 }), "acme")
      assert.strictEqual(yield* call({ [Tenant.key]: 5 }), "nobody")
      assert.strictEqual(yield* call({}), "nobody")
    })
  )

  it.effect("has the caller's span as the parent span", () =>
    Effect.gen(function* () {
      const span = { traceId: "0123456789abcdef".repeat(2), spanId: "fedcba9876543210", sampled: true }
      const fn = doing(Effect.map(Effect.orDie(Effect.currentParentSpan), ({ spanId, traceId }) => [traceId, spanId]))
      const parent = yield* session([fn])
      assert.deepStrictEqual((yield* parent.call(fn, undefined, { span })).value, [span.traceId, span.spanId])
    })
  )

  it.effect("has a span of its own below the caller's, if a tracer is installed", () => {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return Effect.gen(function* () {
      const span = { traceId: "0123456789abcdef".repeat(2), spanId: "fedcba9876543210", sampled: true }
      const fn = doing(Effect.map(Effect.orDie(Effect.currentSpan), ({ name }) => name))
      const parent = yield* session([fn])
      assert.deepStrictEqual((yield* parent.call(fn, undefined, { span })).value, "doing.run")
      const [run] = spans
      assert.deepStrictEqual(
        {
          traceId: run?.traceId,
          kind: run?.kind,
          attributes: Object.fromEntries(run?.attributes ?? []),
          status: run?.status._tag
        },
        {
          traceId: span.traceId,
          kind: "server",
          attributes: { "flame.runner": "r1", "flame.pool": "app/Pool" },
          status: "Ended"
        }
      )
    }).pipe(Effect.withTracer(tracer))
  })
})

describe("codecs that need services or suspend", () => {
  const Word = Schema.String.pipe(
    Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transformEffect((s: string) => Ffmpeg.useSync(({ version }) => `${s} read by ${version}`)),
      encode: SchemaGetter.transformEffect((s: string) =>
        Effect.map(Effect.sleep("1 second"), () => `${s} written late`)
      )
    })
  )
  class Late extends Schema.TaggedError<Late>()("Late", { word: Word }) {}
  const speak = Flame.fn(
    "speak",
    { payload: { word: Schema.String, fails: Schema.Boolean }, success: Word, error: Late },
    ({ fails, word }) => (fails ? Effect.fail(new Late({ word })) : Effect.succeed(word))
  )
  const Heard = Schema.String.pipe(
    Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transformEffect((s: string) =>
        Effect.delay(
          Ffmpeg.useSync(({ version }) => `${s} heard by ${version}`),
          "1 second"
        )
      ),
      encode: SchemaGetter.passthrough()
    })
  )
  const hear = Flame.fn("hear", { payload: { word: Heard }, success: Schema.String }, ({ word }) =>
    Effect.succeed(word)
  )
  const withFfmpeg = Effect.provideService(Ffmpeg, { version: "7.1" })

  it.effect("decode a payload, and the function waits for it", () =>
    Effect.gen(function* () {
      const parent = yield* session([hear])
      const ids = [1, 2].map((n) => parent.request(hear, { word: `hi ${n}` }))
      yield* settled
      yield* TestClock.adjust("1 second")
      for (const id of ids)
        assert.deepStrictEqual(yield* parent.final(id), { kind: "Success", value: `hi ${id} heard by 7.1` })
      const cancelled = parent.request(hear, { word: "never mind" })
      yield* settled
      parent.cancel(cancelled)
      assert.deepStrictEqual(yield* parent.final(cancelled), { kind: "Interrupted" })
    }).pipe(withFfmpeg)
  )

  it.effect("encode a success and an error", () =>
    Effect.gen(function* () {
      const parent = yield* session([speak])
      for (const fails of [false, true]) {
        const id = parent.request(speak, { word: "hi", fails })
        yield* settled
        assert.deepStrictEqual(parent.finals(id), [])
        yield* TestClock.adjust("1 second")
        const final = yield* parent.final(id)
        const word = "hi written late read by 7.1"
        assert.deepStrictEqual(
          final,
          fails ? { kind: "Failure", value: new Late({ word }) } : { kind: "Success", value: word }
        )
      }
    }).pipe(withFfmpeg)
  )

  it.effect("are interrupted by a cancel", () =>
    Effect.gen(function* () {
      const parent = yield* session([speak])
      for (const fails of [false, true]) {
        const id = parent.request(speak, { word: "hi", fails })
        yield* settled
        parent.cancel(id)
        assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
      }
    }).pipe(withFfmpeg)
  )

  it.effect("fail the call with a defect when they fail", () =>
    Effect.gen(function* () {
      const Never = Schema.String.pipe(
        Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.passthrough(),
          encode: SchemaGetter.transformEffect((_: string) => Effect.die(new Error("cannot say")))
        })
      )
      const mute = Flame.fn("mute", { success: Never }, () => Effect.succeed("x"))
      const parent = yield* session([mute])
      assert.deepStrictEqual(defect(yield* parent.call(mute, undefined)), {
        kind: "Defect",
        name: "Error",
        message: "cannot say"
      })
    })
  )
})

describe("a cancel", () => {
  it.effect("interrupts the function and is acknowledged after its finalizers", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const log: Array<string> = []
      const fn = doing(
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() =>
            Effect.andThen(
              Deferred.await(gate),
              Effect.sync(() => log.push("closed"))
            )
          )
          log.push("started")
          yield* Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted")))
        })
      )
      const parent = yield* session([fn])
      const id = parent.request(fn, undefined)
      yield* when(() => log.length === 1)
      parent.cancel(id)
      yield* settled
      assert.deepStrictEqual([log, parent.finals(id)], [["started", "interrupted"], []])
      // A second cancel changes nothing.
      parent.cancel(id)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
      assert.deepStrictEqual(log, ["started", "interrupted", "closed"])
      yield* settled
      assert.strictEqual(parent.finals(id).length, 1)
    })
  )

  it.effect("in the turn of its Request stops the call too", () =>
    Effect.gen(function* () {
      const fn = doing(Effect.never)
      const parent = yield* session([fn])
      const id = parent.request(fn, undefined)
      parent.cancel(id)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
    })
  )

  it.effect("of a function that succeeds all the same gets only the acknowledgement", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const fn = doing(Effect.uninterruptible(Effect.as(Deferred.await(gate), "unwanted")))
      const parent = yield* session([fn])
      const id = parent.request(fn, undefined)
      yield* settled
      parent.cancel(id)
      yield* settled
      assert.deepStrictEqual(parent.finals(id), [])
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
    })
  )

  it.effect("that crosses the answer in transit gets no second answer", () =>
    Effect.gen(function* () {
      const parent = yield* session([double])
      const id = parent.request(double, { n: 1 })
      parent.cancel(id)
      parent.cancel(99)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Success", value: 2 })
      yield* settled
      assert.deepStrictEqual([parent.finals(id).length, parent.finals(99).length], [1, 0])
    })
  )

  it.effect("of a large Request that has not arrived whole keeps the call from running", () =>
    Effect.gen(function* () {
      let ran = 0
      const fn = Flame.fn("large", { payload: Schema.Uint8Array }, () => Effect.sync(() => void ran++))
      const parent = yield* session([fn])
      // A runner that does not read gives no further credit.
      const id = parent.request(fn, noise(8_000_000, 1))
      for (let i = 0; i < 4; i++) yield* Effect.promise(() => Promise.resolve())
      parent.cancel(id)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
      assert.strictEqual(ran, 0)
      // The id may be used again.
      yield* parent.call(fn, noise(100_000, 2), { id })
      yield* when(() => ran === 1)
      assert.deepStrictEqual(parent.probe.closed, [])
    })
  )

  it.effect("of a large result that is in transit ends the transfer", () =>
    Effect.gen(function* () {
      const parent = yield* session([size])
      const id = parent.request(size, { size: 8_000_000 })
      // A parent that does not read gives no credit.
      parent.transport.freeze(true)
      yield* settled
      parent.cancel(id)
      yield* settled
      parent.transport.freeze(false)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
      assert.isTrue(parent.link.forget(id, "response"))
      assert.strictEqual((yield* parent.call(size, { size: 300_000 }, { id: 5 })).kind, "Success")
      assert.deepStrictEqual(parent.probe.closed, [])
    })
  )

  it.effect("is answered although another call of the runner never ends", () =>
    Effect.gen(function* () {
      const fn = doing(Effect.uninterruptible(Effect.never))
      const other = Flame.fn("other", {}, () => Effect.never)
      const parent = yield* session([fn, other])
      parent.request(fn, undefined)
      const id = parent.request(other, undefined)
      yield* settled
      parent.cancel(id)
      assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
    })
  )
})

describe("a ping", () => {
  it.effect("is answered while functions run", () =>
    Effect.gen(function* () {
      const fn = doing(Effect.never)
      const parent = yield* session([fn])
      parent.request(fn, undefined)
      parent.link.control(Kind.Ping, 0)
      yield* when(() => parent.heard.includes("Pong"))
      const fiber = yield* Effect.forkChild(parent.done)
      assert.isUndefined(fiber.pollUnsafe())
      yield* Fiber.interrupt(fiber)
    })
  )
})
