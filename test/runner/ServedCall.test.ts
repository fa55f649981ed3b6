/** Tests of one call on its runner when code of the program throws, or when its result cannot be sent. */
import { AsyncLocalStorage } from "node:async_hooks"
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as StreamServer from "../../src/call/StreamServer.ts"
import type { LinkEnd } from "../../src/wire/Channel.ts"
import * as FunctionCodec from "../../src/function/FunctionCodec.ts"
import * as Flame from "../../src/Flame.ts"
import { ServedCall } from "../../src/runner/ServedCall.ts"
import { type Kind, kindName } from "../../src/wire/Frame.ts"
import { session, settled } from "./ScriptedParent.ts"

interface Defect {
  readonly name: string
  readonly message: string
  readonly stack: string
}

class Failed extends Schema.TaggedError<Failed>()("Failed", {
  why: Schema.String,
  code: Schema.optional(Schema.Number)
}) {}

const one = Flame.fn("one", { success: Schema.Int }, () => Effect.succeed(1))

/** The defect of a call of the function. Checks that the session serves another call afterwards. */
const defectOf = (fn: Parameters<typeof session>[0][number], tracer?: Tracer.Tracer) =>
  Effect.gen(function* () {
    const starting = session([fn, one])
    const parent = yield* tracer === undefined ? starting : Effect.provideService(starting, Tracer.Tracer, tracer)
    const { kind, value } = yield* parent.call(fn, undefined)
    yield* settled
    assert.strictEqual(kind, "Defect")
    assert.strictEqual(parent.finals(1).length, 1)
    assert.deepStrictEqual(parent.probe.closed, [])
    return value as Defect
  })

it.effect(
  "an error that does not fit its schema crosses as a defect with its own message, stack and cause [C125]",
  () =>
    Effect.gen(function* () {
      const cause = new Error("ENOSPC")
      const misfit = Object.assign(new Failed({ why: "disk full" }), { code: null, cause })
      const fn = Flame.fn("misfit", { error: Failed }, () => Effect.fail(misfit))
      const { message, name, stack } = yield* defectOf(fn)
      assert.strictEqual(name, "Failed")
      assert.match(message, /disk full/)
      assert.match(stack, /ServedCall\.test\.ts/)
      assert.match(stack, /caused by Error: ENOSPC/)
      assert.match(stack, /beside CodecError: the error of misfit does not match its schema/)
    })
)

it.effect("two defects of one call both cross [C125]", () =>
  Effect.gen(function* () {
    const fn = Flame.fn("twice", {}, () =>
      Effect.andThen(
        Effect.addFinalizer(() => Effect.die(new RangeError("of the finalizer"))),
        Effect.die(new TypeError("of the function"))
      )
    )
    const { message, stack } = yield* defectOf(fn)
    assert.strictEqual(message, "of the function")
    assert.match(stack, /beside RangeError: of the finalizer/)
  })
)

it.effect("a function whose result schema has no layout fails its call before it runs [C126]", () =>
  Effect.gen(function* () {
    let runs = 0
    const fn = Flame.fn("bare", { success: Schema.String }, () => Effect.sync(() => `${runs++}`))
    Object.defineProperty(FunctionCodec.of(fn), "success", {
      get: () => {
        throw new TypeError("no layout")
      }
    })
    assert.strictEqual((yield* defectOf(fn)).message, "no layout")
    assert.strictEqual(runs, 0)
  })
)

for (const when of ["begins", "ends"] as const) {
  it.effect(`a tracer that throws as a span ${when} ends only that call, with its error [C127]`, () =>
    Effect.gen(function* () {
      const fault = () => {
        throw new RangeError(`as it ${when}`)
      }
      let spans = 0
      const tracer = Tracer.make({
        span: (options) => {
          const isFirst = spans++ === 0
          if (isFirst && when === "begins") fault()
          const span = new Tracer.NativeSpan(options)
          return isFirst ? Object.assign(span, { end: fault }) : span
        }
      })
      const fn = Flame.fn("traced", {}, () => Effect.void)
      assert.strictEqual((yield* defectOf(fn, tracer)).message, `as it ${when}`)
    })
  )
}

it.effect("a store that one call enters in AsyncLocalStorage is not seen by the next call [C128]", () =>
  Effect.gen(function* () {
    const storage = new AsyncLocalStorage<string>()
    const enter = Flame.fn("enter", {}, () => Effect.sync(() => storage.enterWith("alice")))
    const read = Flame.fn("read", { success: Schema.String }, () => Effect.sync(() => storage.getStore() ?? "none"))
    const parent = yield* session([enter, read])
    const ids = [parent.request(enter, undefined), parent.request(read, undefined)]
    yield* settled
    assert.deepStrictEqual(yield* parent.final(ids[1]!), { kind: "Success", value: "none" })
  })
)

it.effect("a typed error is still sent when the tracer throws at the end of its span [C127]", () =>
  Effect.gen(function* () {
    const ends: Array<string> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        return Object.assign(span, { end: (_: bigint, exit: Exit.Exit<unknown, unknown>) => ends.push(exit._tag) })
      }
    })
    const fn = Flame.fn("failing", { error: Failed }, () => Effect.fail(new Failed({ why: "no" })))
    const parent = yield* Effect.provideService(session([fn]), Tracer.Tracer, tracer)
    assert.strictEqual((yield* parent.call(fn, undefined)).kind, "Failure")
    assert.deepStrictEqual(ends, ["Failure"])
  })
)

it.effect("a streaming call is told that its runner drains, by its parent or by a signal [C137]", () =>
  Effect.gen(function* () {
    let told = 0
    const endless = Flame.fn("endless", { success: Schema.Uint8Array, stream: true }, () => Stream.never)
    const placed = Object.assign(endless, {
      open: (end: LinkEnd, max: number) => ({
        ...StreamServer.serve(end, FunctionCodec.of(endless), max),
        drain: () => void told++
      })
    })
    const parent = yield* session([placed])
    parent.request(placed, undefined)
    yield* settled
    parent.server.drain()
    assert.strictEqual(told, 1)
    parent.server.drain()
    assert.strictEqual(told, 1)
  })
)

it.effect("a success after the cancel of its call is not sent [C334]", () =>
  Effect.gen(function* () {
    const end = yield* Deferred.make<void>()
    const late = Flame.fn("late", { success: Schema.Int }, () =>
      Effect.uninterruptible(Effect.as(Deferred.await(end), 1))
    )
    const parent = yield* session([late])
    const id = parent.request(late, undefined)
    yield* settled
    parent.cancel(id)
    yield* settled
    assert.lengthOf(parent.finals(id), 0)
    yield* Deferred.succeed(end, undefined)
    assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
  })
)

it.effect("a call that is cancelled during its finalizers sends no success, and its result is not encoded [C334]", () =>
  Effect.gen(function* () {
    const end = yield* Deferred.make<void>()
    let encoded = 0
    const Counted = Schema.Int.pipe(
      Schema.decodeTo(
        Schema.Int,
        SchemaTransformation.transform({
          decode: (n) => n,
          encode: (n) => {
            encoded++
            return n
          }
        })
      )
    )
    const closing = Flame.fn("closing", { success: Counted }, () =>
      Effect.as(
        Effect.addFinalizer(() => Deferred.await(end)),
        1
      )
    )
    const parent = yield* session([closing])
    const id = parent.request(closing, undefined)
    yield* settled
    parent.cancel(id)
    yield* settled
    assert.lengthOf(parent.finals(id), 0)
    yield* Deferred.succeed(end, undefined)
    assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
    assert.strictEqual(encoded, 0)
  })
)

it.effect("a result whose encoding ends after the cancel of its call is not sent [C334]", () =>
  Effect.gen(function* () {
    const end = yield* Deferred.make<void>()
    const Slow = Schema.Int.pipe(
      Schema.decodeTo(Schema.Int, {
        decode: SchemaGetter.passthrough(),
        encode: SchemaGetter.transformEffect((n: number) => Effect.uninterruptible(Effect.as(Deferred.await(end), n)))
      })
    )
    const slow = Flame.fn("slow", { success: Slow }, () => Effect.succeed(1))
    const parent = yield* session([slow])
    const id = parent.request(slow, undefined)
    yield* settled
    parent.cancel(id)
    yield* settled
    assert.lengthOf(parent.finals(id), 0)
    yield* Deferred.succeed(end, undefined)
    assert.deepStrictEqual(yield* parent.final(id), { kind: "Interrupted" })
  })
)

/** A call of a stream whose channel a test controls, and the final frames that it sends. */
const streaming = (channel: { readonly dropped: boolean; readonly isBroken: boolean }) => {
  const finals: Array<string> = []
  const told: Array<string> = []
  const session = {
    link: { send: (kind: Kind) => finals.push(kindName(kind)), control: () => {} },
    nested: { end: () => {} },
    maxResult: 1e6,
    isStopping: true,
    over: () => {}
  }
  const fn = Flame.fn("stream", { success: Schema.Uint8Array, stream: true }, () => Stream.empty)
  const open = {
    channel: {
      ...channel,
      flushed: (then: () => void) => then(),
      endChannel: () => {},
      dropUnsent: () => told.push("dropUnsent")
    }
  }
  const served = { fn, codec: FunctionCodec.of(fn), open: undefined }
  const call = new ServedCall(session as never, 1, served, { nested: 0 } as never, undefined, open as never)
  return { call, finals, told }
}

it("a stream that is stopped drops what waits for credit, since its receiver may grant nothing any more [C335]", () => {
  const { call, told } = streaming({ dropped: false, isBroken: false })
  call.stop()
  assert.deepStrictEqual(told, ["dropUnsent"])
})

it("a stream whose items were dropped, or could not be sent, does not look complete [C336]", () => {
  for (const [channel, final] of [
    [{ dropped: true, isBroken: false }, "Interrupted"],
    [{ dropped: true, isBroken: true }, "Defect"],
    [{ dropped: false, isBroken: false }, "Success"]
  ] as const) {
    const { call, finals } = streaming(channel)
    call.ended(Exit.void)
    assert.deepStrictEqual(finals, [final])
  }
})
