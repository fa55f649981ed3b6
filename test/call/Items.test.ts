import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Stream from "effect/Stream"
import * as Flame from "../../src/Flame.ts"
import { FlameError, TimedOut } from "../../src/error/FlameError.ts"
import * as FunctionCodec from "../../src/function/FunctionCodec.ts"
import { Items } from "../../src/call/Items.ts"

const numbers = Flame.fn("numbers", { success: Schema.Int, stream: true }, () => Stream.empty)
const codec = FunctionCodec.of(numbers)

const bytesOf = (...items: ReadonlyArray<number>) => Buffer.concat([...codec.items.encodeMany(items)])

const timedOut = Exit.fail(
  new FlameError({ reason: new TimedOut({ pool: "p", function: "numbers", phase: "running", after: 5, runner: "r" }) })
)

const pull = (items: Items) =>
  Effect.runSyncExit(items.pull as unknown as Effect.Effect<ReadonlyArray<unknown>, unknown>)

/** All items that can be pulled now, and how the stream ends. */
const drained = (items: Items) => {
  const got: Array<unknown> = []
  for (;;) {
    const exit = pull(items)
    if (Exit.isFailure(exit)) return { got, reason: Cause.squash(exit.cause) }
    got.push(...exit.value)
  }
}

describe("Items", () => {
  it("reads items of a build whose schema can suspend with a build whose schema cannot, and the reverse", () => {
    const now = { decode: SchemaGetter.transform((s: string) => s), encode: SchemaGetter.transform((s: string) => s) }
    const later = {
      decode: SchemaGetter.transformEffect((s: string) => Effect.succeed(s)),
      encode: SchemaGetter.transformEffect((s: string) => Effect.succeed(s))
    }
    const [sync, effect] = [now, later].map((transformation) => {
      const success = Schema.String.pipe(Schema.decodeTo(Schema.String, transformation))
      return FunctionCodec.of(Flame.fn("words", { success, stream: true }, () => Stream.empty))
    }) as [FunctionCodec.FunctionCodec, FunctionCodec.FunctionCodec]
    assert.deepStrictEqual([sync.layout, sync.success.isSync, effect.success.isSync], [effect.layout, true, false])
    const one = Effect.runSync(effect.items.encodeEffect("a") as Effect.Effect<Uint8Array, unknown>)
    const two = Buffer.concat([...sync.items.encodeMany(["b", "c"])])
    for (const codec of [sync, effect]) {
      const items = new Items(codec)
      items.take(one, false)
      items.take(two, false)
      items.end(Exit.void)
      assert.deepStrictEqual(drained(items).got, ["a", "b", "c"])
    }
  })

  it("refuses a message of a few bytes that claims millions of items", () => {
    for (const schema of [Schema.Null, Schema.Undefined, Schema.suspend(() => Schema.Null)]) {
      const nothings = Flame.fn("nothings", { success: schema, stream: true }, () => Stream.empty)
      const codec = FunctionCodec.of(nothings)
      const items = new Items(codec)
      const sent = [null, null, null].map((_) => (schema === Schema.Undefined ? undefined : null))
      items.take(Buffer.concat([...codec.items.encodeMany(sent)]), false)
      assert.deepStrictEqual(pull(items), Exit.succeed(sent))
      // An array that claims a million items.
      const many = Uint8Array.of(4, 0xc0, 0x84, 0x3d, 0)
      items.take(many, false)
      assert.isTrue(Exit.isFailure(pull(items)))
    }
  })

  it("emits nothing after its budget is over, so that a gap does not look like a complete stream [S9]", () => {
    const items = new Items(codec)
    const view = bytesOf(1, 2, 3)
    items.batch(view)
    items.batch(Buffer.concat([...codec.items.encodeMany(Array.from({ length: 20_000 }, (_, i) => i))]))
    assert.deepStrictEqual(pull(items), Exit.succeed([1, 2, 3]))
    items.end(timedOut)
    // Items that left the runner before it was told to stop.
    items.batch(bytesOf(30_000))
    items.batch(bytesOf(30_001))
    const { got, reason } = drained(items)
    assert.deepStrictEqual(got, [])
    assert.instanceOf(reason, FlameError)
  })

  it("holds about as many bytes as have arrived, however small the pieces", () => {
    const items = new Items(codec)
    for (let i = 0; i < 50_000; i++) items.batch(bytesOf(i))
    assert.isBelow((items as unknown as { readonly waiting: ReadonlyArray<unknown> }).waiting.length, 50)
    items.end(Exit.void)
    assert.deepStrictEqual(
      drained(items).got,
      Array.from({ length: 50_000 }, (_, i) => i)
    )
  })

  it("emits pieces that arrive during a pull in order, and gives credit for each byte once", () => {
    const items = new Items(codec)
    let consumed = 0
    let sent = 0
    const channel = { consumed: (bytes: number) => void (consumed += bytes) }
    items.call = { channel } as never
    const got: Array<unknown> = []
    for (let i = 0; i < 1_000; i++) {
      const bytes = bytesOf(i)
      sent += bytes.length
      items.batch(bytes)
      if (i % 7 !== 0) continue
      const exit = pull(items)
      if (Exit.isSuccess(exit)) got.push(...exit.value)
    }
    items.end(Exit.void)
    got.push(...drained(items).got)
    assert.deepStrictEqual(
      got,
      Array.from({ length: 1_000 }, (_, i) => i)
    )
    assert.strictEqual(consumed, sent)
  })

  it("keeps the error of an item that cannot be read when the call ends before the next pull [C540]", () => {
    const items = new Items(codec)
    // An array of the numbers 1, 2 and a text, which is no number.
    items.take(Uint8Array.of(4, 3, 1, 2, 0xfe), false)
    assert.deepStrictEqual(pull(items), Exit.succeed([1, 2]))
    items.batch(bytesOf(3))
    items.end(Exit.void)
    const { got, reason } = drained(items)
    assert.deepStrictEqual(got, [])
    assert.include(String(reason), "cannot be read")
  })

  it("keeps no bytes of items that were pulled, also where others always wait", () => {
    const items = new Items(codec)
    const message = (n: number) => bytesOf(2 * n, 2 * n + 1)
    items.take(message(0), false)
    const got: Array<unknown> = []
    for (let n = 1; n <= 300; n++) {
      items.take(message(n), false)
      const exit = pull(items)
      if (Exit.isSuccess(exit)) got.push(...exit.value)
    }
    const { waiting } = items as unknown as { readonly waiting: ReadonlyArray<unknown> }
    assert.isAtMost(waiting.length, 40)
    items.end(Exit.void)
    got.push(...drained(items).got)
    assert.deepStrictEqual(
      got,
      Array.from({ length: 602 }, (_, i) => i)
    )
  })
})
