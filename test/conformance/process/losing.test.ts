import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { RunnerLost } from "../../../src/error/FlameError.ts"
import { Exited, Killed, OutOfMemory } from "../../../src/error/RunnerExit.ts"
import { exists, isAlive } from "../../fixtures/conformance-process/census.ts"
import { add, place, play, replay } from "../../fixtures/conformance-process/functions.ts"
import { begin, lateness, onPool, pids, reasonOf, timed } from "../../fixtures/conformance-process/harness.ts"

const killed = new Killed({ signal: "SIGKILL" })

describe("a runner that ends", () => {
  it.live("[C15] by a kill while it has a call fails that call with RunnerLost, and the pool serves on", () =>
    onPool({}, (scene) =>
      Effect.gen(function* () {
        const { fiber, pid } = yield* begin(scene, "a")
        const [ready] = scene.events.of("RunnerReady")
        process.kill(pid, "SIGKILL")
        const [reason, took] = yield* timed(reasonOf(Fiber.join(fiber)))
        assert.deepStrictEqual(
          reason,
          new RunnerLost({
            pool: "effect-flame/Pool",
            function: "play",
            runner: ready?.runner ?? "",
            exit: killed,
            mayHaveRun: true,
            gone: true
          })
        )
        assert.isBelow(took, lateness)
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
        assert.strictEqual((yield* scene.pool.status).totals.runnersLost, 1)
      })
    )
  )

  it.live("has its idempotent call resent, within the call's timeout", () =>
    onPool({}, ({ events, stage }) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkScoped(Flame.call(replay, { key: "a" }, { timeout: "1 minute" }))
        const first = yield* stage.said("a", "started")
        process.kill(first.pid, "SIGKILL")
        const second = yield* stage.said("a", "started")
        assert.notStrictEqual(second.pid, first.pid)
        assert.isFalse(isAlive(first.pid))
        yield* stage.tell("a", "return")
        assert.strictEqual(yield* Fiber.join(fiber), second.pid)
        assert.strictEqual(events.of("RunnerGone").length, 1)
      })
    )
  )

  it.live("[C85] has its idempotent call resent within the one budget that the call has", () =>
    onPool({ min: 2, max: 2, awaitMin: true }, ({ stage }) =>
      Effect.gen(function* () {
        const call = reasonOf(Flame.call(replay, { key: "a" }, { timeout: "3 seconds" }))
        const fiber = yield* Effect.forkScoped(timed(call), { startImmediately: true })
        const first = yield* stage.said("a", "started")
        process.kill(first.pid, "SIGKILL")
        const second = yield* stage.said("a", "started")
        assert.notStrictEqual(second.pid, first.pid)
        const [reason, took] = yield* Fiber.join(fiber)
        assert.deepInclude(reason, { _tag: "TimedOut", phase: "running", after: 3000 })
        assert.isBelow(took, 3000 + lateness)
        yield* stage.said("a", "finalized")
      })
    )
  )

  it.live("[C80] together with its calls does not affect the pool, the other runners and their calls", () =>
    onPool({ max: 2, concurrency: 2 }, (scene) =>
      Effect.gen(function* () {
        const calls = yield* Effect.forEach(["a", "b", "c", "d"], (key) => begin(scene, key), { concurrency: 4 })
        const doomed = calls[0]!.pid
        const lost = calls.filter(({ pid }) => pid === doomed)
        const kept = calls.filter(({ pid }) => pid !== doomed)
        assert.deepStrictEqual([lost.length, kept.length], [2, 2])
        process.kill(doomed, "SIGKILL")
        for (const { fiber } of lost) {
          assert.deepInclude(yield* reasonOf(Fiber.join(fiber)), { _tag: "RunnerLost", exit: killed })
        }
        for (const { fiber } of kept) assert.isUndefined(fiber.pollUnsafe())
        for (const { end, pid } of kept) assert.strictEqual(yield* end, pid)
        assert.strictEqual((yield* Flame.call(place)).pid, kept[0]?.pid)
        assert.deepInclude(yield* scene.pool.status, { state: "open", ready: 1 })
      })
    )
  )

  it.live("[C81] is replaced for the calls that wait, without any new call", () =>
    onPool({}, (scene) =>
      Effect.gen(function* () {
        const first = yield* begin(scene, "a")
        const waiter = yield* Effect.forkScoped(Flame.call(play, { key: "b" }), { startImmediately: true })
        assert.strictEqual((yield* scene.pool.status).waiting, 1)
        process.kill(first.pid, "SIGKILL")
        const { pid } = yield* scene.stage.said("b", "started")
        assert.notStrictEqual(pid, first.pid)
        yield* scene.stage.tell("b", "return")
        assert.strictEqual(yield* Fiber.join(waiter), pid)
        assert.deepInclude(yield* reasonOf(Fiber.join(first.fiber)), { _tag: "RunnerLost" })
      })
    )
  )

  it.live("[C89] out of memory is reported as that, with its limit, and leaves nothing behind", () =>
    onPool({ execArgv: ["--max-old-space-size=48"] }, (scene) =>
      Effect.gen(function* () {
        const { fiber, pid } = yield* begin(scene, "a")
        yield* scene.stage.tell("a", "fill")
        const reason = yield* reasonOf(Fiber.join(fiber))
        assert.instanceOf(reason, RunnerLost)
        assert.deepStrictEqual(reason.exit, new OutOfMemory({ limit: "--max-old-space-size=48" }))
        assert.deepInclude(reason, { mayHaveRun: true, gone: true })
        yield* scene.events.nth("RunnerGone")
        assert.isFalse(exists(pid))
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
      })
    )
  )

  it.live("[C89] by SIGKILL leaves no process, not even a zombie, while the pool serves on", () =>
    onPool({ max: 3 }, (scene) =>
      Effect.gen(function* () {
        const calls = yield* Effect.forEach(["a", "b", "c"], (key) => begin(scene, key), { concurrency: 3 })
        const doomed = calls.map(({ pid }) => pid)
        for (const pid of doomed) process.kill(pid, "SIGKILL")
        yield* scene.events.nth("RunnerGone", 3)
        assert.isFalse(doomed.some(exists))
        assert.deepStrictEqual((yield* scene.pool.status).runners, [])
      })
    )
  )

  it.live("by an exit in its function is reported with exit code and last output", () =>
    onPool({}, (scene) =>
      Effect.gen(function* () {
        const { fiber } = yield* begin(scene, "a")
        yield* scene.stage.tell("a", "last words")
        const { gone, exit } = (yield* reasonOf(Fiber.join(fiber))) as RunnerLost
        assert.isTrue(gone)
        assert.deepStrictEqual(exit, new Exited({ code: 3, stderr: "these are my last words" }))
      })
    )
  )

  it.live("[C60] by SIGTERM gets no call from that moment, ends its calls in flight, and exits with 0", () =>
    onPool({ max: 2, concurrency: 2 }, (scene) =>
      Effect.gen(function* () {
        const first = yield* begin(scene, "a")
        process.kill(first.pid, "SIGTERM")
        const draining = yield* scene.events.nth("RunnerDraining")
        assert.strictEqual(draining.why, "draining")
        // The runner has a free slot, and does not get this call.
        const second = yield* begin(scene, "b")
        assert.notStrictEqual(second.pid, first.pid)
        assert.isTrue(isAlive(first.pid))
        assert.strictEqual(yield* first.end, first.pid)
        const gone = yield* scene.events.nth("RunnerGone")
        assert.deepStrictEqual(gone.exit, { reason: new Exited({ code: 0 }), gone: true })
        assert.strictEqual(gone.runner, draining.runner)
        assert.strictEqual(yield* second.end, second.pid)
      })
    )
  )

  it.live("[C60] by SIGTERM ends at its budget when its calls do not end by themselves", () =>
    onPool({ drainTimeout: "300 millis" }, (scene) =>
      Effect.gen(function* () {
        const { fiber, pid } = yield* begin(scene, "a")
        process.kill(pid, "SIGTERM")
        yield* scene.stage.said("a", "finalized")
        const reason = yield* reasonOf(Fiber.join(fiber))
        assert.deepInclude(reason, { _tag: "RunnerLost", mayHaveRun: true })
        const gone = yield* scene.events.nth("RunnerGone")
        assert.deepStrictEqual(gone.exit, { reason: new Exited({ code: 0 }), gone: true })
        assert.strictEqual(pids(scene.events).length, 1)
      })
    )
  )

  it.live("[C60] by SIGTERM without a call exits at once", () =>
    onPool({}, ({ events }) =>
      Effect.gen(function* () {
        const { pid } = yield* Flame.call(place)
        process.kill(pid, "SIGTERM")
        const gone = yield* events.nth("RunnerGone")
        assert.deepStrictEqual(gone.exit, { reason: new Exited({ code: 0 }), gone: true })
        assert.notStrictEqual((yield* Flame.call(place)).pid, pid)
      })
    )
  )

  it.live("does not end at SIGINT, which Ctrl-C sends to the parent too: the parent decides", () =>
    onPool({}, () =>
      Effect.gen(function* () {
        const { pid } = yield* Flame.call(place)
        process.kill(pid, "SIGINT")
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
      })
    )
  )
})
