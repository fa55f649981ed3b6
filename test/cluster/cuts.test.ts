/**
 * Tests failures of the connection between a runner and its parent (C64), by a proxy on the dial-back or in the
 * runner's network.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../src/Flame.ts"
import { RunnerLost } from "../../src/error/FlameError.ts"
import { begin, reasonOf, timed } from "../fixtures/conformance-process/harness.ts"
import { until } from "../fixtures/conformance-process/patience.ts"
import { add, replay } from "./apps/functions.ts"
import { freePort, host, type HostOptions, type HostScene, inPool, onHost } from "./kit/HostParent.ts"
import { leavesNothing, processes } from "./kit/Leaks.ts"
import { cutOff, deafen, silence } from "./kit/Network.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as TcpProxy from "./kit/TcpProxy.ts"
import { within } from "./kit/Times.ts"
import type { Pool } from "../../src/pool/Pool.ts"
import type { Backend } from "../../src/backend/Backend.ts"
import type * as Scope from "effect/Scope"

const space = Namespaces.ofFile("cuts")

/** The longest time until callers know, in milliseconds: 15 s of silence, and the wait for a reason. */
const noticed = 15_000 + 3_000 + 1_000

/** A pool whose runners dial through a proxy. */
const throughProxy = <A, E>(
  options: HostOptions,
  body: (scene: HostScene & { readonly line: TcpProxy.TcpProxy }) => Effect.Effect<A, E, Pool | Backend | Scope.Scope>
) =>
  Effect.suspend(() =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const port = yield* freePort
        const line = yield* TcpProxy.make({ to: { port }, host: "0.0.0.0" })
        const advertise = `${host}:${line.port}`
        return yield* inPool(space, { port, advertise, ...options }, (scene) => body({ ...scene, line }))
      })
    )
  )

describe("the connection of a runner", () => {
  it.live(
    "[C64] that is reset fails its calls at once with RunnerLost; the runner interrupts its calls and exits",
    () =>
      throughProxy({}, (scene) =>
        Effect.gen(function* () {
          const { fiber } = yield* begin(scene, "a")
          scene.line.reset()
          const [reason, took] = yield* timed(reasonOf(Fiber.join(fiber)))
          assert.instanceOf(reason, RunnerLost)
          assert.isTrue(reason.mayHaveRun)
          within("a connection that is reset", took, 5_000)
          yield* scene.stage.said("a", "finalized")
          assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
        })
      )
  )

  it.live("[C64] that stalls fails its calls with RunnerLost within 15 s, and the runner ends by itself", () =>
    onHost(space, {}, (scene) =>
      Effect.gen(function* () {
        const { fiber, host } = yield* begin(scene, "a")
        const before = processes(space.name)
        assert.strictEqual(before.length, 1)
        yield* cutOff(space.name, host)
        const [reason, took] = yield* timed(reasonOf(Fiber.join(fiber)))
        assert.instanceOf(reason, RunnerLost)
        assert.isTrue(reason.mayHaveRun)
        within("a silent connection", took, noticed)
        yield* until(() => !processes(space.name).includes(before[0]!), "the runner has ended")
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
      })
    )
  )

  const sides = [
    ["to its runner", deafen],
    ["from its runner", silence]
  ] as const

  for (const [what, cut] of sides) {
    it.live(`[C64] that loses all packets ${what} fails its calls within 15 s, and the runner ends by itself`, () =>
      onHost(space, {}, (scene) =>
        Effect.gen(function* () {
          const { fiber, host } = yield* begin(scene, "a")
          const before = processes(space.name)
          assert.strictEqual(before.length, 1)
          yield* cut(space.name, host)
          const [reason, took] = yield* timed(reasonOf(Fiber.join(fiber)))
          assert.instanceOf(reason, RunnerLost)
          assert.isTrue(reason.mayHaveRun)
          // The silence was noticed, not a closed connection.
          assert.isAbove(took, 10_000)
          within("a silent connection", took, noticed)
          yield* until(() => !processes(space.name).includes(before[0]!), "the runner has ended")
          assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
        })
      )
    )
  }

  it.live("[C64] that is lost has its idempotent call resent only when no two runs can overlap", () =>
    throughProxy({ max: 2 }, ({ line, stage }) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkScoped(Flame.call(replay, { key: "a" }), { startImmediately: true })
        const first = yield* stage.said("a", "started")
        line.reset()
        const second = yield* stage.said("a", "started")
        assert.notStrictEqual(second.host, first.host)
        const order = stage.lines.filter(({ key }) => key === "a").map(({ what }) => what)
        // The first run has ended before the second starts.
        assert.isBelow(order.indexOf("finalized"), order.lastIndexOf("started"))
        yield* stage.tell("a", "return")
        yield* Fiber.join(fiber)
      })
    )
  )
})
