/** Tests of streams whose caller cannot decode an item: the items before it arrive, then the error. */
import { assert, beforeAll, describe } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Stream from "effect/Stream"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Flame from "../../../src/Flame.ts"
import { FlameError } from "../../../src/error/FlameError.ts"
import { poolTest } from "./harness.ts"

// Loaded when a function first needs them, which takes real time.
beforeAll(async () => {
  await Promise.all([
    import("../../../src/runner/NestedChannels.ts"),
    import("../../../src/function/GroupClient.ts"),
    import("../../../src/call/peer/ServiceEnd.ts")
  ])
})

const encode = SchemaGetter.transform((n: number) => n)
const refusal = new SchemaIssue.InvalidValue({ message: "thirteen" })

/** Kinds of items of which the number 13 can be encoded and not decoded. */
const kinds = {
  "throws while it decodes": SchemaGetter.transform((n: number) => {
    if (n === 13) throw new Error("thirteen")
    return n
  }),
  "is refused by its schema": SchemaGetter.transformEffect((n: number) =>
    n === 13 ? Effect.fail(refusal) : Effect.succeed(n)
  ),
  "is refused after a while": SchemaGetter.transformEffect((n: number) =>
    Effect.andThen(Effect.yieldNow, n === 13 ? Effect.fail(refusal) : Effect.succeed(n))
  ),
  "dies after a while": SchemaGetter.transformEffect((n: number) =>
    Effect.andThen(Effect.yieldNow, n === 13 ? Effect.die(new Error("thirteen")) : Effect.succeed(n))
  )
}

/** Emits numbers from 0 to `to` in one chunk, and waits after them if told to. */
const numbers = (to: number, waits: boolean) =>
  Stream.concat(Stream.fromArray(Array.from({ length: to + 1 }, (_, n) => n)), waits ? Stream.never : Stream.empty)

const payload = { to: Schema.Int, waits: Schema.Boolean }

/** Takes a stream to its end: the items, and the message of its defect. */
const taken = <R>(
  stream: Stream.Stream<number, unknown, R>
): Effect.Effect<readonly [ReadonlyArray<number>, string], never, R> =>
  Effect.gen(function* () {
    const items: Array<number> = []
    const exit = yield* Effect.exit(Stream.runForEach(stream, (item) => Effect.sync(() => void items.push(item))))
    if (Exit.isSuccess(exit)) return [items, "complete"]
    const error = Cause.squash(exit.cause)
    return [items, error instanceof FlameError ? error.reason._tag : String(error)]
  })

for (const [kind, decode] of Object.entries(kinds)) {
  const item = Schema.Number.pipe(Schema.decodeTo(Schema.Number, { decode, encode }))
  const called = Flame.fn(`numbers: ${kind}`, { payload, success: item, stream: true }, ({ to, waits }) =>
    numbers(to, waits)
  )
  const result = Schema.Tuple([Schema.Array(Schema.Number), Schema.String])
  const nested = Flame.fn(`nested: ${kind}`, { payload, success: result }, (payload) =>
    taken(Flame.stream(called, payload))
  )
  class Numbers extends RpcGroup.make(Rpc.make("all", { payload, success: item, stream: true })) {}
  const service = Flame.service(`service: ${kind}`, { group: Numbers }, () =>
    Numbers.toLayer({ all: ({ to, waits }) => numbers(to, waits) })
  )
  const placed = (asked: { readonly to: number; readonly waits: boolean }) =>
    Effect.scoped(Effect.flatMap(Flame.place(service), (client) => taken(client.all(asked))))
  const placing = Flame.fn(`placing: ${kind}`, { payload, success: result }, (payload) => Effect.orDie(placed(payload)))

  const callers = {
    "a call": (asked: { readonly to: number; readonly waits: boolean }) => taken(Flame.stream(called, asked)),
    "a nested call": (asked: { readonly to: number; readonly waits: boolean }) => Flame.call(nested, asked),
    "a placed service": placed,
    "a placed service inside of a function": (asked: { readonly to: number; readonly waits: boolean }) =>
      Flame.call(placing, asked)
  }

  describe(`an item that ${kind}`, () => {
    for (const [name, caller] of Object.entries(callers)) {
      poolTest(
        `[C540] arrives as an error after all items before it, in the stream of ${name}`,
        { serve: [called, nested, service, placing], max: 2 },
        function* ({ pool }) {
          for (const asked of [
            { to: 40, waits: false },
            { to: 40, waits: true },
            { to: 13, waits: false },
            { to: 5_000, waits: false }
          ]) {
            const [items, end] = yield* Effect.orDie(caller(asked))
            assert.deepStrictEqual(items, [...Array(13).keys()])
            assert.match(end, /thirteen|cannot be read/)
          }
          assert.strictEqual((yield* Effect.orDie(caller({ to: 12, waits: false })))[1], "complete")
          assert.deepInclude(yield* pool.status, { busySlots: 0, suspended: 0 })
        }
      )
    }
  })
}
