import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as TestClock from "effect/testing/TestClock"
import { FlameError, ServiceEnded } from "../../../src/error/FlameError.ts"
import * as GroupFunctions from "../../../src/function/GroupFunctions.ts"
import { PeerCalls, type PeerCallsOptions } from "../../../src/call/peer/PeerCalls.ts"
import { Kind } from "../../../src/wire/Frame.ts"

const functions = GroupFunctions.of(RpcGroup.make(Rpc.make("get", { success: Schema.String })))

const options: PeerCallsOptions = {
  functions,
  channel: () => ({ send: () => true, sent: 0, unsent: 0 }) as never,
  runner: () => "r",
  limit: 1e6,
  cancelGrace: 500,
  isTowardsOwner: false,
  over: ({ name }) => new ServiceEnded({ pool: "p", function: name, runner: "r", detail: "over" })
}

describe("PeerCalls", () => {
  for (const body of [
    "",
    "null",
    "no json",
    `{"why":"PayloadTooLarge","size":"x","limit":1}`,
    `{"why":"PayloadTooLarge","size":{"valueOf":1,"toString":1}}`
  ]) {
    it.effect(`fails the call for a Refused frame that cannot be read: ${body}`, () =>
      Effect.gen(function* () {
        const calls = new PeerCalls(options)
        const call = Effect.withFiber((fiber) => calls.call(fiber, functions[0]!, undefined)) as Effect.Effect<unknown>
        const fiber = yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
        assert.isUndefined(calls.message(Kind.Refused, 1, Buffer.from(body), undefined))
        const exit = yield* Fiber.join(fiber)
        assert.instanceOf(Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined, FlameError)
      })
    )
  }

  it.effect(
    "waits for at most cancelGrace when its caller is interrupted and the other end does not answer [C337]",
    () =>
      Effect.gen(function* () {
        const calls = new PeerCalls(options)
        const call = Effect.withFiber((fiber) => calls.call(fiber, functions[0]!, undefined)) as Effect.Effect<unknown>
        const fiber = yield* Effect.forkChild(call, { startImmediately: true })
        const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        yield* TestClock.adjust("499 millis")
        assert.isUndefined(interrupting.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(interrupting)
      })
  )

  it.effect("wakes requests that wait only while there is room for one more", () =>
    Effect.gen(function* () {
      const [put] = GroupFunctions.of(RpcGroup.make(Rpc.make("put", { payload: Schema.Uint8Array })))
      const calls = new PeerCalls({ ...options, functions: [put!], limit: 1e7 })
      const { waiting } = calls as unknown as { readonly waiting: Set<() => void> }
      let waits = 0
      const add = waiting.add.bind(waiting)
      waiting.add = (go) => {
        waits++
        return add(go)
      }
      const start = (size: number) =>
        Effect.forkChild(
          Effect.withFiber((fiber) => calls.call(fiber, put!, new Uint8Array(size))) as Effect.Effect<unknown>,
          { startImmediately: true }
        )
      const first = [yield* start(1), yield* start(1), yield* start(5 * 1024 * 1024)]
      const later = [yield* start(1), yield* start(1), yield* start(1)]
      assert.strictEqual(waits, 3)
      const done = (id: number) => calls.message(Kind.Success, id, Buffer.alloc(0), undefined)
      done(1)
      done(2)
      assert.strictEqual(waits, 3)
      done(3)
      assert.strictEqual(waiting.size, 0)
      for (const id of [1, 2, 3]) done(id)
      for (const fiber of [...first, ...later]) yield* Fiber.await(fiber)
    })
  )
})
