/**
 * Tests of C53 on runners that are processes of their own: functions that call other functions through the pools of
 * their parent.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../src/backend/Backend.ts"
import * as Flame from "../../src/Flame.ts"
import { RunnerLost } from "../../src/error/FlameError.ts"
import type { Pool } from "../../src/pool/Pool.ts"
import type { PoolOptions } from "../../src/pool/option/PoolOptions.ts"
import { Killed } from "../../src/error/RunnerExit.ts"
import {
  directs,
  dive,
  nested,
  pours,
  repeats,
  Second,
  tallies,
  through
} from "../fixtures/conformance-process/functions.ts"
import { reasonOf, type Scene, type Watch } from "../fixtures/conformance-process/harness.ts"
import type { Line } from "../fixtures/conformance-process/stage.ts"

/** The runners of the suite, and how to signal them. */
export interface NestedOptions {
  /** Runs a test on a pool of runners that serve `functions.ts`, and checks that nothing is left. */
  readonly onPool: <A, E>(
    options: PoolOptions,
    body: (scene: Scene) => Effect.Effect<A, E, Pool | Backend | Scope.Scope>
  ) => Effect.Effect<A, unknown>
  /** Sends a signal to the runner where a function runs. */
  readonly signal: (where: Pick<Line, "pid" | "host">, signal: "SIGTERM" | "SIGKILL") => Effect.Effect<void>
}

/** The runners, in the order in which they became ready. */
const ready = (events: Watch) => events.of("RunnerReady").map(({ runner }) => runner)

/** Starts a function that calls another function, and waits until the inner function runs. */
const direct = (key: string, second: boolean) =>
  Effect.forkScoped(Flame.call(directs, { key, second }), { startImmediately: true })

/** Sends a signal to the runner of the first pool. */
const signalFirst = (events: Watch, signal: NestedOptions["signal"], how: "SIGKILL") => {
  const [{ labels } = { labels: {} as Record<string, string> }] = events.of("RunnerReady")
  return signal({ pid: Number(labels["pid"]), host: labels["pod"] ?? "" }, how)
}

/** Registers the tests of streams and placed services inside of functions. */
const channelConformance = (name: string, { onPool, signal }: NestedOptions): unknown =>
  describe(`a stream or a placed service inside of a function on ${name}`, () => {
    it.live("[C353] brings 64 MiB through the parent, on the slot of its caller", () =>
      onPool({ max: 1 }, ({ events }) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* Flame.call(pours, { key: "", chunks: 1_024, second: false }), "1024 chunks, gave 0")
          assert.lengthOf(ready(events), 1)
        })
      )
    )

    it.live("[C358] gives what has come before RunnerLost when the runner of the stream is killed", () =>
      onPool({}, ({ stage }) =>
        Effect.gen(function* () {
          yield* Layer.build(Second.layer({ max: 1, reasonGrace: "2 seconds" }))
          const call = yield* Effect.forkScoped(Flame.call(pours, { key: "a", chunks: 3, second: true }))
          yield* signal(yield* stage.said("a", "started"), "SIGKILL")
          assert.match(
            yield* Fiber.join(call),
            /^3 chunks, RunnerLost: runner second-\S+ of pool test\/Second was lost/
          )
        })
      )
    )

    it.live("[C357] stops the stream when the runner of its caller is killed", () =>
      onPool({}, ({ events, stage }) =>
        Effect.gen(function* () {
          yield* Layer.build(Second.layer({ max: 1 }))
          const call = yield* Effect.forkScoped(Flame.call(pours, { key: "a", chunks: 3, second: true }))
          yield* stage.said("a", "started")
          yield* signalFirst(events, signal, "SIGKILL")
          assert.instanceOf(yield* reasonOf(Fiber.join(call)), RunnerLost)
          yield* stage.said("a", "interrupted")
        })
      )
    )

    it.live("[C360] answers its function, and ends with its Scope", () =>
      onPool({ max: 1 }, ({ events, stage }) =>
        Effect.gen(function* () {
          const call = yield* Effect.forkScoped(Flame.call(tallies, { key: "a", second: false }))
          yield* stage.said("a", "started")
          yield* stage.tell("a", "return")
          assert.strictEqual(yield* Fiber.join(call), "gave 2")
          yield* stage.said("a.tally", "ended")
          assert.lengthOf(ready(events), 1)
        })
      )
    )

    it.live("[C357] ends the service when the runner of its function is killed", () =>
      onPool({}, ({ events, stage }) =>
        Effect.gen(function* () {
          yield* Layer.build(Second.layer({ max: 1 }))
          const call = yield* Effect.forkScoped(Flame.call(tallies, { key: "a", second: true }))
          yield* stage.said("a", "started")
          yield* signalFirst(events, signal, "SIGKILL")
          assert.instanceOf(yield* reasonOf(Fiber.join(call)), RunnerLost)
          yield* stage.said("a.tally", "ended")
        })
      )
    )

    it.live("[C358] fails with RunnerLost when the runner of the service is killed", () =>
      onPool({}, ({ stage }) =>
        Effect.gen(function* () {
          yield* Layer.build(Second.layer({ max: 1, reasonGrace: "2 seconds" }))
          const call = yield* Effect.forkScoped(Flame.call(tallies, { key: "a", second: true }))
          const where = yield* stage.said("a.tally", "built")
          yield* stage.said("a", "started")
          yield* signal(where, "SIGKILL")
          yield* stage.tell("a", "return")
          assert.match(yield* Fiber.join(call), /^RunnerLost: runner second-/)
        })
      )
    )
  })

/** Registers the tests of nested calls. */
export const nestedConformance = (name: string, { onPool, signal }: NestedOptions): void => {
  channelConformance(name, { onPool, signal })
  describe(`[C53] a call inside a function on ${name}`, () => {
    it.live("is made by the parent and runs on the slot of its caller", () =>
      onPool({}, ({ events }) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* Flame.call(nested), 3)
          assert.lengthOf(ready(events), 1)
        })
      )
    )

    it.live("ends when calls are nested deeper than there are slots, and runners serve one call each", () =>
      onPool({ maxCalls: 1 }, ({ events }) =>
        Effect.gen(function* () {
          const first = yield* Flame.call(dive, { left: 30 })
          const again = yield* Flame.call(dive, { left: 3 })
          assert.deepStrictEqual([new Set(first).size, new Set(again).size], [1, 1])
          assert.deepStrictEqual(ready(events), [first[0]!, again[0]!])
        })
      )
    )

    it.live("ends on a runner that got SIGTERM while the call ran", () =>
      onPool({}, ({ events, stage }) =>
        Effect.gen(function* () {
          const call = yield* direct("a", false)
          const where = yield* stage.said("a", "started")
          const second = yield* Effect.forkScoped(Flame.call(nested), { startImmediately: true })
          yield* signal(where, "SIGTERM")
          yield* events.nth("RunnerDraining")
          yield* stage.tell("a", "return")
          assert.match(yield* Fiber.join(call), /^gave /)
          assert.strictEqual(yield* Fiber.join(second), 3)
        })
      )
    )

    it.live("can begin on a runner that has got SIGTERM", () =>
      onPool({}, ({ events, stage }) =>
        Effect.gen(function* () {
          const call = yield* Effect.forkScoped(Flame.call(repeats, { key: "a" }), { startImmediately: true })
          const where = yield* stage.said("a", "started")
          yield* signal(where, "SIGTERM")
          yield* events.nth("RunnerDraining")
          yield* stage.tell("a", "return")
          assert.deepInclude(yield* stage.said("a.again", "started"), { pid: where.pid, host: where.host })
          yield* stage.tell("a.again", "return")
          assert.match(yield* Fiber.join(call), /^gave /)
          assert.lengthOf(ready(events), 1)
        })
      )
    )

    it.live("is stopped when the runner of its caller is killed", () =>
      onPool({}, ({ events, stage }) =>
        Effect.gen(function* () {
          yield* Layer.build(Second.layer({ max: 1 }))
          const call = yield* direct("a", true)
          yield* stage.said("a", "started")
          const [{ labels } = { labels: {} as Record<string, string> }] = events.of("RunnerReady")
          yield* signal({ pid: Number(labels["pid"]), host: labels["pod"] ?? "" }, "SIGKILL")
          assert.instanceOf(yield* reasonOf(Fiber.join(call)), RunnerLost)
          yield* stage.said("a", "interrupted")
        })
      )
    )

    it.live("fails in the calling function when the runner of the inner call is killed", () =>
      onPool({}, ({ stage }) =>
        Effect.gen(function* () {
          yield* Layer.build(Second.layer({ max: 1, reasonGrace: "2 seconds" }))
          const call = yield* direct("a", true)
          yield* signal(yield* stage.said("a", "started"), "SIGKILL")
          const said = yield* Fiber.join(call)
          assert.match(said, /^RunnerLost: runner second-\S+ of pool test\/Second was lost with play: /)
          assert.include(said, new Killed({ signal: "SIGKILL" }).message)
        })
      )
    )

    it.live("fails in the calling function when the parent has no such pool", () =>
      onPool({}, () =>
        Effect.gen(function* () {
          const said = yield* Flame.call(directs, { key: "a", second: true })
          assert.match(
            said,
            /^PoolMissing: play needs pool test\/Second, which is not there: the parent has no such pool/
          )
        })
      )
    )

    it.live("carries large values in both directions", () =>
      onPool({}, () =>
        Effect.gen(function* () {
          const payload = Buffer.alloc(20_000_000, "nested")
          assert.isTrue(payload.equals(yield* Flame.call(through, payload)))
        })
      )
    )
  })
}
