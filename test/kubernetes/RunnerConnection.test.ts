import { assert, describe, it } from "@effect/vitest"
import { Duplex } from "node:stream"
import { Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as RunnerConnection from "../../src/kubernetes/RunnerConnection.ts"
import { KubeClient } from "../../src/kubernetes/api/KubeClient.ts"
import { withoutJitter } from "./kit/NoJitter.ts"
import type { Admission, Listener, Seen } from "../../src/wire/network/Listener.ts"
import { KubeMock } from "../../src/testing/KubeMock.ts"

/** A listener that reports that state for every runner. */
const listener = (seen: Seen): Listener => {
  const expect = (index: number): Admission => ({
    identity: `life.${index}`,
    key: Redacted.make("key"),
    transport: Effect.never,
    seen: () => seen,
    revoke: () => {}
  })
  return { port: 9345, expect } as Partial<Listener> as Listener
}

const address = "10.0.0.1:9345"

describe("a runner that dials", () => {
  it.each([
    ["nothing", /nothing came from its pod to 10\.0\.0\.1:9345.*command.*NetworkPolicy/],
    ["tcp", /reached 10\.0\.0\.1:9345 but began no TLS.*mesh/],
    ["tls refused", /its key was refused.*FLAME_RUNNER_/]
  ] as const)("of which %s was seen has a hint to what to look at", (seen, words) => {
    assert.match(RunnerConnection.listen({ listener: listener(seen), address }, 3).hint("10.0.0.9") ?? "", words)
  })

  it("that has authenticated needs no connection by its parent, and gets the address to dial", () => {
    const connection = RunnerConnection.listen({ listener: listener("authenticated"), address }, 3)
    assert.isUndefined(connection.hint("10.0.0.9"))
    assert.deepStrictEqual([connection.dial, connection.identity], [address, "life.3"])
  })
})

describe("a runner to which its parent dials", () => {
  it.effect("is dialled again from its start on, at most every half second, and the last error is the hint", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const hub = { client, life: "life", keyOf: () => Redacted.make("a".repeat(43)) }
      const connection = RunnerConnection.forward(hub, 0, "pod", 9345)
      const dialled = () => client.requests()["create pods/portforward"] ?? 0
      const waiting = yield* Effect.forkChild(connection.transport(Effect.sleep("1 second")), {
        startImmediately: true
      })
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual([dialled(), connection.hint(undefined)], [0, undefined])
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(dialled(), 1)
      // After 50, 100, 200 and 400 ms, and then every 500 ms.
      yield* TestClock.adjust("750 millis")
      assert.strictEqual(dialled(), 5)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(dialled(), 15)
      assert.match(connection.hint(undefined) ?? "", /the API server did not connect to it: .*"pod" not found/)
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()), withoutJitter)
  )

  it.effect("leaves no connection of failed attempts open", () =>
    Effect.gen(function* () {
      let open = 0
      const broken = Effect.acquireRelease(
        Effect.sync(() => {
          open++
          const duplex = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
          // As a port without a listener does.
          setImmediate(() => duplex.destroy(new Error("refused")))
          return duplex
        }),
        () => Effect.sync(() => void open--)
      )
      const client = { ...(yield* KubeClient), portForward: () => broken }
      const hub = { client, life: "life", keyOf: () => Redacted.make("a".repeat(43)) }
      const connection = RunnerConnection.forward(hub, 0, "pod", 9345)
      yield* Effect.forkScoped(connection.transport(Effect.void), { startImmediately: true })
      while (connection.hint(undefined) === undefined) yield* Effect.promise(() => new Promise(setImmediate))
      assert.strictEqual(open, 0)
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("is dialled again when nothing answers, and leaves no connection open", () =>
    Effect.gen(function* () {
      let opened = 0
      let open = 0
      const silent = Effect.acquireRelease(
        Effect.sync(() => {
          opened++
          open++
          return new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
        }),
        () => Effect.sync(() => void open--)
      )
      const client = { ...(yield* KubeClient), portForward: () => silent }
      const hub = { client, life: "life", keyOf: () => Redacted.make("a".repeat(43)) }
      const connection = RunnerConnection.forward(hub, 0, "pod", 9345)
      yield* Effect.forkScoped(connection.transport(Effect.void), { startImmediately: true })
      yield* TestClock.adjust("4999 millis")
      assert.deepStrictEqual([opened, open], [1, 1])
      yield* TestClock.adjust("1 millis")
      assert.match(connection.hint(undefined) ?? "", /did not answer for 5000 ms/)
      assert.deepStrictEqual([opened, open], [1, 0])
      yield* TestClock.adjust("50 millis")
      assert.deepStrictEqual([opened, open], [2, 1])
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )
})
