/** Tests of a runner that breaks the rules of streams and placed services of functions: it loses its session, and nothing else. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Flame from "../../../src/Flame.ts"
import type { AnyFunction } from "../../../src/function/FlameFunction.ts"
import * as FlameErrorCodec from "../../../src/function/FlameErrorCodec.ts"
import { Kind } from "../../../src/wire/Frame.ts"
import { until as comes } from "../../wire/network/sockets.ts"
import { HostileRunner, layer } from "./HostileRunner.ts"

const bytes = Flame.fn("bytes", { payload: Schema.Uint8Array, success: Schema.Uint8Array }, Effect.succeed)
const chunks = Flame.fn("chunks", { success: Schema.Uint8Array, stream: true }, () => Stream.empty)
const functions: ReadonlyArray<AnyFunction> = [bytes, chunks]
const small = new Uint8Array(1)
const none = new Uint8Array(0)
const KiB = 1024

const until = (condition: () => boolean) => Effect.promise(() => comes(condition))

/** Runs a test in which a function of the runner has called `chunks` as nested call 7. `served` is the call of `chunks`. */
const hostile = (name: string, test: (runner: HostileRunner, served: number) => Effect.Effect<void>) =>
  it.live(name, () =>
    Effect.gen(function* () {
      const runner = new HostileRunner()
      const program = Effect.gen(function* () {
        const call = yield* Effect.forkChild(Effect.exit(Flame.call(bytes, small)), { startImmediately: true })
        yield* until(() => runner.of(Kind.Request).length > 0)
        runner.call(7, chunks, none)
        yield* until(() => runner.of(Kind.Request).length > 1)
        yield* test(runner, runner.of(Kind.Request)[1]!.id)
        yield* Fiber.interrupt(call)
      })
      yield* Effect.provide(program, Layer.fresh(layer(runner, functions)))
    })
  )

const granted = (runner: HostileRunner, id: number) =>
  runner.of(Kind.GrantResponse, id).reduce((sum, { body }) => sum + body.readUInt32BE(0), 0)

/** A message of 1 KiB behind its length. */
const message = Buffer.alloc(KiB + 2, 1)
message[0] = 0x80
message[1] = 0x08
const frames = Buffer.concat(Array.from({ length: 31 }, () => message))

describe("a hostile runner with a stream inside of a function", () => {
  hostile("loses its session by messages to a stream that has not begun", (runner) =>
    Effect.gen(function* () {
      runner.say(Kind.ItemsRequest, 7, message)
      yield* until(() => runner.isClosed)
    })
  )

  hostile("loses its session by more messages than it was granted", (runner, served) =>
    Effect.gen(function* () {
      runner.say(Kind.ItemsResponse, served, message)
      yield* until(() => runner.of(Kind.ItemsResponse, 7).length > 0)
      // The served stream takes none, so the parent grants no new credit.
      for (let i = 0; i < 20; i++) runner.say(Kind.ItemsRequest, 7, frames)
      yield* until(() => runner.isClosed)
    })
  )

  hostile("keeps its session by messages and grants that cross the end of the stream", (runner, served) =>
    Effect.gen(function* () {
      runner.say(Kind.Success, served, none)
      yield* until(() => runner.of(Kind.Success, 7).length === 1)
      runner.say(Kind.ItemsRequest, 7, message)
      runner.say(Kind.GrantResponse, 7, Buffer.alloc(4))
      yield* Effect.sleep(0)
      assert.isFalse(runner.isClosed)
    })
  )

  hostile("makes its parent hold two windows where it takes no messages", (runner, served) =>
    Effect.gen(function* () {
      let sent = 0
      for (let quiet = 0; quiet < 20; quiet++) {
        while (sent + frames.length <= 128 * KiB + granted(runner, served)) {
          runner.say(Kind.ItemsResponse, served, frames)
          sent += frames.length
          quiet = 0
        }
        yield* Effect.promise(() => new Promise(setImmediate))
      }
      const taken = runner.of(Kind.ItemsResponse, 7).reduce((sum, { body }) => sum + body.length, 0)
      assert.isFalse(runner.isClosed)
      assert.isAtMost(taken, 128 * KiB)
      assert.isAtMost(sent - taken, 256 * KiB)
      // The final frame waits for the messages, and a cancel drops them.
      runner.say(Kind.Success, served, none)
      yield* Effect.promise(() => new Promise(setImmediate))
      assert.lengthOf(runner.of(Kind.Success, 7), 0)
      runner.say(Kind.NestedCancel, 7)
      yield* until(() => runner.of(Kind.Interrupted, 7).length === 1)
      assert.lengthOf(runner.of(Kind.Success, 7), 0)
    })
  )

  hostile("cannot cast a stream", (runner) =>
    Effect.gen(function* () {
      runner.call(8, chunks, none, { cast: true })
      yield* until(() => runner.of(Kind.Refused, 8).length === 1)
      const { reason } = FlameErrorCodec.decode(runner.of(Kind.Refused, 8)[0]!.body)
      assert.strictEqual(reason._tag, "PoolMissing")
    })
  )
})
