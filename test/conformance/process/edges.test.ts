import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { type RunnerLost, RemoteDefect } from "../../../src/error/FlameError.ts"
import { Exited, Killed } from "../../../src/error/RunnerExit.ts"
import { isAlive } from "../../fixtures/conformance-process/census.ts"
import {
  add,
  bytes,
  pattern,
  place,
  play,
  pools,
  throwsLater,
  weigh
} from "../../fixtures/conformance-process/functions.ts"
import { begin, onPool, reasonOf } from "../../fixtures/conformance-process/harness.ts"

const size = 32 * 1024 * 1024

/** Blocks this process, as a function of the app's own might. */
const compute = (millis: number) =>
  Effect.sync(() => {
    for (const end = performance.now() + millis; performance.now() < end;);
  })

describe("a large value in transit", () => {
  it.live("arrives whole from a runner that gets SIGTERM meanwhile", () =>
    onPool({}, ({ events }) =>
      Effect.gen(function* () {
        const { pid } = yield* Flame.call(place)
        const call = yield* Effect.forkScoped(Flame.call(bytes, { size }), { startImmediately: true })
        yield* Effect.yieldNow
        process.kill(pid, "SIGTERM")
        const result = yield* Fiber.join(call)
        assert.strictEqual(Buffer.compare(result, pattern(size)), 0)
        const gone = yield* events.nth("RunnerGone")
        assert.deepStrictEqual(gone.exit.reason, new Exited({ code: 0 }))
      })
    )
  )

  it.live("arrives whole while the pool closes", () =>
    onPool({}, (scene) =>
      Effect.gen(function* () {
        yield* Flame.call(place)
        const call = yield* Effect.forkScoped(Flame.call(bytes, { size }), { startImmediately: true })
        yield* Effect.yieldNow
        yield* scene.close
        assert.strictEqual(Buffer.compare(yield* Fiber.join(call), pattern(size)), 0)
      })
    )
  )

  it.live("is given up in both directions when its caller is interrupted, and the runner serves on", () =>
    onPool({ concurrency: 2, cancelGrace: "10 seconds" }, ({ pool }) =>
      Effect.gen(function* () {
        const { pid } = yield* Flame.call(place)
        const data = pattern(size)
        for (let round = 0; round < 4; round++) {
          const result = yield* Effect.forkScoped(Flame.call(bytes, { size }), { startImmediately: true })
          const payload = yield* Effect.forkScoped(Flame.call(weigh, { data }), { startImmediately: true })
          // Interrupts at another point of the transfer in each round: after that many small calls.
          for (let i = 0; i < round; i++) yield* Effect.yieldNow
          yield* Fiber.interruptAll([result, payload])
          assert.strictEqual((yield* Flame.call(place)).pid, pid)
        }
        assert.deepStrictEqual(yield* Flame.call(weigh, { data }), { size, intact: true })
        assert.strictEqual(Buffer.compare(yield* Flame.call(bytes, { size }), data), 0)
        assert.deepInclude(yield* pool.status, { busySlots: 0, waiting: 0, ready: 1 })
      })
    )
  )

  it.live("is given up when its runner does not read it, and that runner is killed", () =>
    onPool({ concurrency: 2, cancelGrace: "300 millis" }, (scene) =>
      Effect.gen(function* () {
        const blocked = yield* begin(scene, "a")
        yield* scene.stage.tell("a", "block /never")
        yield* scene.stage.said("a", "blocking")
        const call = yield* Effect.forkScoped(Flame.call(weigh, { data: pattern(size) }), { startImmediately: true })
        yield* Effect.yieldNow
        yield* Fiber.interrupt(call)
        const { exit } = (yield* reasonOf(Fiber.join(blocked.fiber))) as RunnerLost
        assert.deepStrictEqual(exit, new Killed({ signal: "SIGKILL", by: "stuck call weigh" }))
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
      })
    )
  )

  it.live("is lost together with its runner", () =>
    onPool({}, () =>
      Effect.gen(function* () {
        const { pid } = yield* Flame.call(place)
        const call = yield* Effect.forkScoped(Flame.call(weigh, { data: pattern(size) }), { startImmediately: true })
        yield* Effect.yieldNow
        process.kill(pid, "SIGKILL")
        assert.deepInclude(yield* reasonOf(Fiber.join(call)), { _tag: "RunnerLost", mayHaveRun: true, gone: true })
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
      })
    )
  )
})

describe("a parent whose event loop is blocked", () => {
  it.live("does not count a function as stuck that has stopped meanwhile", () =>
    onPool({ concurrency: 2, cancelGrace: "300 millis" }, (scene) =>
      Effect.gen(function* () {
        const neighbour = yield* begin(scene, "b")
        const { fiber, pid } = yield* begin(scene, "a")
        const interrupter = yield* Effect.forkScoped(Fiber.interrupt(fiber), { startImmediately: true })
        // The cancellation leaves before the parent blocks.
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* compute(600)
        yield* Fiber.join(interrupter)
        assert.strictEqual(yield* neighbour.end, pid)
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
        assert.deepStrictEqual(scene.events.of("RunnerStuck"), [])
      })
    )
  )
})

describe("a function on a child process", () => {
  it.live("[C65] that builds a pool of its own fails by name, and the other calls go on", () =>
    onPool({ concurrency: 2 }, (scene) =>
      Effect.gen(function* () {
        const neighbour = yield* begin(scene, "a")
        const exit = yield* Effect.exit(Flame.call(pools))
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(defect, RemoteDefect)
        assert.match(
          defect.message,
          /this process was started as runner \S+, but it builds pool effect-flame\/Pool of its own/
        )
        assert.strictEqual(yield* neighbour.end, neighbour.pid)
        assert.strictEqual((yield* Flame.call(place)).pid, neighbour.pid)
      })
    )
  )

  it.live("that throws in the background ends its runner, whose output is one entry of the log [C249]", () =>
    onPool({}, ({ close, log }) =>
      Effect.gen(function* () {
        const lost = (yield* reasonOf(Flame.call(throwsLater))) as RunnerLost
        const { exit } = lost
        assert.match(lost.message, /exited with code 1 \(the log has its last output\)\. The call may have run/)
        const entry = yield* log.has(/Error: thrown in the background\n\s+at /)
        assert.strictEqual(entry.level, "Warn")
        assert.match(entry.text, /^runner \S+ of pool \S+ was lost/)
        yield* close
        assert.strictEqual(log.lines.filter(({ text }) => /thrown in the background|^ *at /m.test(text)).length, 1)
        assert.instanceOf(exit, Exited)
        assert.strictEqual(exit.code, 1)
        assert.match(exit.stderr ?? "", /Error: thrown in the background\n\s+at /)
      })
    )
  )

  it.live("that ends its process with exit code 0 still fails its call with RunnerLost", () =>
    onPool({}, (scene) =>
      Effect.gen(function* () {
        const { fiber } = yield* begin(scene, "a")
        yield* scene.stage.tell("a", "exit 0")
        const { exit } = (yield* reasonOf(Fiber.join(fiber))) as RunnerLost
        assert.deepStrictEqual(exit, new Exited({ code: 0 }))
      })
    )
  )
})

it.live("[C57] whose caller is interrupted at a random moment leaves nothing behind", () =>
  onPool({ max: 2, concurrency: 8 }, (scene) =>
    Effect.gen(function* () {
      yield* Flame.call(place)
      const random = mulberry(20)
      const fibers = yield* Effect.forEach(
        Array.from({ length: 400 }, (_, i) => i),
        (i) =>
          Effect.gen(function* () {
            const call = Flame.call(add, { a: i, b: 1 })
            const fiber = yield* Effect.forkScoped(call, { startImmediately: true })
            if (random() < 0.3) yield* Effect.yieldNow
            if (random() < 0.1) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
            if (random() < 0.5) yield* Effect.forkScoped(Fiber.interrupt(fiber), { startImmediately: true })
            return fiber
          })
      )
      for (const [i, fiber] of fibers.entries()) {
        const exit = yield* Fiber.await(fiber)
        if (Exit.isSuccess(exit)) assert.strictEqual(exit.value, i + 1)
        else assert.isTrue(Cause.hasInterruptsOnly(exit.cause))
      }
      assert.isTrue(fibers.some((fiber) => Exit.isSuccess(fiber.pollUnsafe()!)))
      assert.isTrue(fibers.some((fiber) => Exit.isFailure(fiber.pollUnsafe()!)))
      assert.deepInclude(yield* scene.pool.status, { busySlots: 0, waiting: 0 })
      assert.deepStrictEqual(scene.events.of("RunnerGone"), [])
    })
  )
)

it.live("that was cast and did not get to run before its pool closed is logged and counted", () =>
  onPool({ drainTimeout: "300 millis" }, (scene) =>
    Effect.gen(function* () {
      const { fiber, pid } = yield* begin(scene, "a")
      yield* Flame.cast(play, { key: "b" })
      yield* scene.close
      assert.deepInclude(yield* reasonOf(Fiber.join(fiber)), { _tag: "RunnerLost" })
      assert.isFalse(isAlive(pid))
      const [failed] = scene.events.of("CastFailed")
      assert.deepInclude(failed, { function: "play" })
      yield* scene.log.has(/a cast of play failed/)
      assert.deepInclude((yield* scene.pool.status).totals, { casts: 1, castsFailed: 1 })
    })
  )
)

/** Pseudo-random numbers from 0 to 1, the same in every run. */
const mulberry = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}
