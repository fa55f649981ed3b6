import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { isAlive } from "../../fixtures/conformance-process/census.ts"
import { add, mayGo, place, play } from "../../fixtures/conformance-process/functions.ts"
import { begin, onPool, pids, reasonOf } from "../../fixtures/conformance-process/harness.ts"

describe("a pool of child processes", () => {
  it.live("[C1] with `min: 1` has one runner ready once `awaitMin` is done", () =>
    onPool({ min: 1, awaitMin: true }, ({ pool }) =>
      Effect.gen(function* () {
        const { ready, runners } = yield* pool.status
        assert.strictEqual(ready, 1)
        assert.strictEqual(runners[0]?.state, "ready")
        assert.isTrue(isAlive(Number(runners[0]?.labels["pid"])))
        assert.strictEqual((yield* Flame.call(place)).pid, Number(runners[0]?.labels["pid"]))
      })
    )
  )

  it.live(
    "[C3] [C4] fills the slots of a runner before it boots another: the third of three long calls, two slots each",
    () =>
      onPool({ min: 1, max: 2, concurrency: 2 }, (scene) =>
        Effect.gen(function* () {
          const first = yield* begin(scene, "a")
          const second = yield* begin(scene, "b")
          assert.strictEqual(second.pid, first.pid)
          assert.strictEqual((yield* scene.pool.status).runners.length, 1)
          const third = yield* begin(scene, "c")
          assert.notStrictEqual(third.pid, first.pid)
          assert.strictEqual((yield* scene.pool.status).ready, 2)
          yield* Effect.all([first.end, second.end, third.end])
        })
      )
  )

  it.live("[C7] serves two first calls by one boot", () =>
    onPool({ max: 1, concurrency: 2 }, (scene) =>
      Effect.gen(function* () {
        const [first, second] = yield* Effect.all([begin(scene, "a"), begin(scene, "b")], { concurrency: "unbounded" })
        // Both run at once: neither has ended.
        assert.strictEqual(first.pid, second.pid)
        assert.strictEqual(scene.events.of("BootStarted").length, 1)
        yield* Effect.all([first.end, second.end])
      })
    )
  )

  it.live("[C12] [C13] ends the surplus runner of a burst when it is idle, and keeps the `min` runner", () =>
    onPool({ min: 1, max: 2, concurrency: 2, idleTimeToLive: "500 millis" }, (scene) =>
      Effect.gen(function* () {
        const burst = yield* Effect.forEach(["a", "b", "c", "d"], (key) => begin(scene, key), {
          concurrency: "unbounded"
        })
        const both = [...new Set(burst.map(({ pid }) => pid))]
        assert.strictEqual(both.length, 2)
        const { events } = scene
        const idleSince = performance.now()
        yield* Effect.all(burst.map(({ end }) => end))
        const draining = yield* events.nth("RunnerDraining")
        assert.strictEqual(draining.why, "idle")
        assert.isAtLeast(events.at(draining) - idleSince, 490)
        const gone = yield* events.nth("RunnerGone")
        assert.strictEqual(gone.runner, draining.runner)
        assert.strictEqual(gone.why, "idle")
        // The other runner has been idle for as long, and still exists.
        const left = both.find(isAlive)
        const { ready, runners } = yield* scene.pool.status
        assert.deepStrictEqual([ready, runners.length], [1, 1])
        assert.strictEqual((yield* Flame.call(place)).pid, left)
      })
    )
  )

  it.live("[C21] with `maxCalls: 1` ends a runner after one call", () =>
    onPool({ maxCalls: 1 }, ({ events }) =>
      Effect.gen(function* () {
        const first = yield* Flame.call(place)
        const gone = yield* events.nth("RunnerGone")
        assert.strictEqual(gone.why, "maxCalls")
        assert.strictEqual(gone.runner, first.runner)
        assert.isFalse(isAlive(first.pid))
        assert.notStrictEqual((yield* Flame.call(place)).pid, first.pid)
      })
    )
  )

  it.live("[C27] ends a booted runner without calls after `idleTimeToLive`", () =>
    onPool({ idleTimeToLive: "300 millis", beforeBoot: () => Effect.sleep("100 millis") }, ({ events }) =>
      Effect.gen(function* () {
        // The caller has timed out before the runner is ready.
        const reason = yield* reasonOf(Flame.call(add, { a: 1, b: 1 }, { timeout: "50 millis" }))
        assert.deepInclude(reason, { _tag: "TimedOut", phase: "booting" })
        const ready = yield* events.nth("RunnerReady")
        const draining = yield* events.nth("RunnerDraining")
        assert.strictEqual(draining.why, "idle")
        const idle = events.at(draining) - events.at(ready)
        assert.isAtLeast(idle, 290)
        yield* events.nth("RunnerGone")
        assert.isFalse(isAlive(Number(ready.labels["pid"])))
      })
    )
  )

  it.live("[C28] ends a runner `idleTimeToLive` after its last call", () =>
    onPool({ idleTimeToLive: "300 millis" }, (scene) =>
      Effect.gen(function* () {
        const { end, pid } = yield* begin(scene, "a")
        const since = performance.now()
        yield* end
        const draining = yield* scene.events.nth("RunnerDraining")
        assert.strictEqual(draining.why, "idle")
        assert.isAtLeast(scene.events.at(draining) - since, 290)
        const gone = yield* scene.events.nth("RunnerGone")
        assert.deepInclude(gone.exit.reason, { _tag: "Exited", code: 0 })
        assert.isFalse(isAlive(pid))
      })
    )
  )

  it.live("[C29] keeps an idle runner for as long as `idleWhen` answers false on it", () =>
    onPool({ idleTimeToLive: "100 millis", idleWhen: mayGo }, ({ events, stage }) =>
      Effect.gen(function* () {
        const answer = (word: string) => Effect.andThen(stage.said("idle", "started"), stage.tell("idle", word))
        const { pid } = yield* Flame.call(place)
        yield* answer("no")
        yield* answer("no")
        assert.deepStrictEqual(events.of("RunnerDraining"), [])
        assert.isTrue(isAlive(pid))
        yield* answer("yes")
        assert.strictEqual((yield* events.nth("RunnerGone")).why, "idle")
      })
    )
  )

  it.live("[C58] serves a call that arrives at the moment of an idle stop, on either runner", () =>
    onPool({ max: 2, idleTimeToLive: "40 millis" }, ({ events }) =>
      Effect.gen(function* () {
        let stops = 0
        for (let round = 0; round < 4; round++) {
          assert.strictEqual(yield* Flame.call(add, { a: round, b: 1 }), round + 1)
          // In the turn in which the pool decides.
          yield* events.nth("RunnerDraining", ++stops)
          assert.strictEqual(yield* Flame.call(add, { a: round, b: 2 }), round + 2)
          // Before, at and after the moment when the idle time is over.
          yield* Effect.sleep(38 + 2 * round)
          assert.strictEqual(yield* Flame.call(add, { a: round, b: 3 }), round + 3)
          stops = events.of("RunnerDraining").length
        }
      })
    )
  )

  it.live("[C82] replaces a `min` runner that dies", () =>
    onPool({ min: 1, max: 2, awaitMin: true }, ({ events }) =>
      Effect.gen(function* () {
        const { pid } = yield* Flame.call(place)
        process.kill(pid, "SIGKILL")
        const ready = yield* events.nth("RunnerReady")
        assert.notStrictEqual(Number(ready.labels["pid"]), pid)
        assert.strictEqual((yield* Flame.call(place)).pid, Number(ready.labels["pid"]))
      })
    )
  )

  it.live("[C82] replaces a `min` runner that is recycled", () =>
    onPool({ min: 1, max: 2, awaitMin: true, maxCalls: 1 }, ({ events }) =>
      Effect.gen(function* () {
        const { pid } = yield* Flame.call(place)
        const ready = yield* events.nth("RunnerReady")
        assert.notStrictEqual(Number(ready.labels["pid"]), pid)
        yield* events.nth("RunnerGone")
        assert.isFalse(isAlive(pid))
      })
    )
  )

  it.live("prefers options of the environment to those of the program", () =>
    onPool({ max: 3 }, (scene) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* scene.pool.status).max, 1)
        const first = yield* begin(scene, "a")
        const second = yield* Effect.forkChild(Flame.call(place), { startImmediately: true })
        assert.deepInclude(yield* scene.pool.status, { waiting: 1, booting: 0 })
        yield* first.end
        assert.strictEqual((yield* Fiber.join(second)).pid, first.pid)
      })
    ).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ FLAME_MAX: "1" }))))
  )

  it.live("boots for a burst in one go, and never more than `max`", () =>
    onPool({ max: 2 }, (scene) =>
      Effect.gen(function* () {
        const fibers = yield* Effect.forEach(["a", "b", "c"], (key) =>
          Effect.forkChild(Flame.call(play, { key }), { startImmediately: true })
        )
        assert.deepInclude(yield* scene.pool.status, { booting: 2, waiting: 3 })
        yield* Effect.forEach(["a", "b"], (key) => scene.stage.said(key, "started"), { concurrency: 2 })
        yield* scene.stage.tell("a", "return")
        yield* scene.stage.said("c", "started")
        yield* Effect.forEach(["b", "c"], (key) => scene.stage.tell(key, "return"))
        yield* Effect.forEach(fibers, Fiber.join)
        assert.strictEqual(new Set(pids(scene.events)).size, 2)
      })
    )
  )
})
