/**
 * Tests calls on pods by a parent outside of the cluster: C2, C15, C17, C21, C59, C60, C89, and that functions cannot
 * see their runner's secrets.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../src/Flame.ts"
import { RunnerLost } from "../../src/error/FlameError.ts"
import { Exited } from "../../src/error/RunnerExit.ts"
import { begin, reasonOf, timed } from "../fixtures/conformance-process/harness.ts"
import { add, bytes, echo, place, play, TooLong } from "./apps/functions.ts"
import { evict, exec, remove } from "./kit/Cluster.ts"
import { onHost } from "./kit/HostParent.ts"
import { kill, processes } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { within } from "./kit/Times.ts"

const space = Namespaces.ofFile("calls")

describe("calls on pods", () => {
  it.live("[C2] return the function's value, from a pod that status and events name", () =>
    onHost(space, {}, ({ events, pool, runners }) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
        assert.strictEqual(yield* Flame.call(echo, { text: "grüße" }), "grüße")
        const ready = yield* events.nth("RunnerReady")
        const [pod] = yield* runners((pods) => pods.length === 1 && pods, "there is one pod")
        assert.deepInclude(ready.labels, { pod: pod.metadata.name, namespace: space.name })
        const status = yield* pool.status
        assert.strictEqual(status.backend, "kubernetes")
        assert.deepInclude(status.runners[0]?.labels, { pod: pod.metadata.name, node: pod.spec.nodeName })
        assert.containsAllKeys(status.runners[0]?.phases, ["created", "started", "connected", "ready"])
      })
    )
  )

  it.live("return large values while other calls run both ways", () =>
    onHost(space, { concurrency: 2 }, () =>
      Effect.gen(function* () {
        const size = 16 * 1024 * 1024
        const large = yield* Effect.forkScoped(Flame.call(bytes, { size }))
        assert.strictEqual(yield* Flame.call(add, { a: 2, b: 2 }), 4)
        assert.strictEqual((yield* Fiber.join(large)).length, size)
      })
    )
  )

  it.live("[C17] fail with the function's typed error, and the runner serves on", () =>
    onHost(space, {}, (scene) =>
      Effect.gen(function* () {
        const { fiber, host } = yield* begin(scene, "a")
        yield* scene.stage.tell("a", "fail")
        assert.deepStrictEqual(yield* Effect.flip(Fiber.join(fiber)), new TooLong({ limit: 7, tags: ["a", "b"] }))
        const next = yield* begin(scene, "b")
        assert.strictEqual(next.host, host)
        yield* next.end
      })
    )
  )

  it.live("[C15] whose runner is killed fail with RunnerLost and the cause, and the pool serves on", () =>
    onHost(space, {}, (scene) =>
      Effect.gen(function* () {
        const { fiber, host } = yield* begin(scene, "a")
        yield* scene.stage.tell("a", "last words")
        const [reason, took] = yield* timed(reasonOf(Fiber.join(fiber)))
        assert.instanceOf(reason, RunnerLost)
        assert.deepInclude(reason, { mayHaveRun: true, gone: true })
        assert.deepInclude(reason.exit, { _tag: "Exited", code: 3 })
        // The pool waits for the cause at most this long.
        within("a runner that ended, told with its cause", took, 5_000)
        const next = yield* begin(scene, "b")
        assert.notStrictEqual(next.host, host)
        yield* next.end
      })
    )
  )

  it.live("[C15] whose runner gets SIGKILL from outside of its pod fail with that signal as the cause", () =>
    onHost(space, {}, (scene) =>
      Effect.gen(function* () {
        const { fiber, host } = yield* begin(scene, "a")
        yield* kill(space.name, host)
        const [reason, took] = yield* timed(reasonOf(Fiber.join(fiber)))
        assert.instanceOf(reason, RunnerLost)
        assert.deepInclude(reason, { mayHaveRun: true, gone: true })
        assert.deepInclude(reason.exit, { _tag: "Killed", signal: "SIGKILL" })
        within("a runner that ended, told with its cause", took, 5_000)
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
      })
    )
  )

  it.live("[C89] whose runner runs out of memory fail within 2 s, with the memory limit", () =>
    onHost(space, {}, (scene) =>
      Effect.gen(function* () {
        const { fiber } = yield* begin(scene, "a")
        const hoarding = Effect.andThen(scene.stage.tell("a", "hoard"), scene.stage.said("a", "left"))
        yield* hoarding
        const [reason, took] = yield* timed(reasonOf(Fiber.join(fiber)))
        assert.instanceOf(reason, RunnerLost)
        assert.strictEqual(reason.exit._tag, "OutOfMemory")
        assert.isTrue(reason.gone)
        within("OOM of a runner mid-call", took, 2_000)
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
      })
    )
  )

  it.live("whose pod is deleted may finish, on a runner that gets no others", () =>
    onHost(space, { max: 2, concurrency: 2 }, (scene) =>
      Effect.gen(function* () {
        const first = yield* begin(scene, "a")
        yield* remove(space.name, "pods", first.host)
        yield* scene.events.nth("RunnerDraining")
        const second = yield* begin(scene, "b")
        assert.notStrictEqual(second.host, first.host)
        yield* first.end
        yield* second.end
      })
    )
  )

  it.live("whose pod is deleted without grace fail with RunnerLost(Deleted)", () =>
    onHost(space, {}, (scene) =>
      Effect.gen(function* () {
        const { fiber, host } = yield* begin(scene, "a")
        yield* remove(space.name, "pods", host, { grace: 0 })
        const reason = yield* reasonOf(Fiber.join(fiber))
        assert.instanceOf(reason, RunnerLost)
        assert.include(["Deleted", "Killed"], reason.exit._tag)
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
      })
    )
  )

  it.live("whose pod is evicted may finish within its grace, and the eviction is reported", () =>
    onHost(space, {}, (scene) =>
      Effect.gen(function* () {
        const { end, host } = yield* begin(scene, "a")
        yield* evict(space.name, host)
        const leaving = yield* scene.events.nth("RunnerLeaving")
        assert.match(leaving.why, /evict/i)
        yield* end
        const gone = yield* scene.events.nth("RunnerGone")
        assert.isTrue(gone.exit.gone)
      })
    )
  )

  it.live("[C21] with maxCalls 1 leave nothing: after one call the runner is gone", () =>
    onHost(space, { maxCalls: 1 }, (scene) =>
      Effect.gen(function* () {
        const first = yield* begin(scene, "a")
        yield* first.end
        yield* scene.events.nth("RunnerGone")
        const second = yield* begin(scene, "b")
        assert.notStrictEqual(second.host, first.host)
        yield* second.end
        yield* scene.runners((pods) => pods.length === 0, "both pods are gone")
      })
    )
  )

  it.live("[C59] in flight may finish when the pool is closed, and nothing is left", () =>
    onHost(space, {}, (scene) =>
      Effect.gen(function* () {
        const { fiber } = yield* begin(scene, "a")
        const closing = yield* Effect.forkScoped(scene.close, { startImmediately: true })
        yield* scene.events.nth("PoolClosing")
        assert.deepInclude(yield* reasonOf(Flame.call(add, { a: 1, b: 2 })), { _tag: "PoolClosed" })
        yield* scene.stage.tell("a", "return")
        yield* Fiber.join(fiber)
        yield* Fiber.join(closing)
        assert.deepStrictEqual(processes(space.name), [])
      })
    )
  )

  it.live("[C60] on a runner that gets SIGTERM may finish; the runner gets no new calls, and exits with 0", () =>
    onHost(space, { max: 2, concurrency: 2 }, (scene) =>
      Effect.gen(function* () {
        const first = yield* begin(scene, "a")
        yield* exec(space.name, first.host, "sh", "-c", "kill -TERM 1")
        yield* scene.events.nth("RunnerDraining")
        const second = yield* begin(scene, "b")
        assert.notStrictEqual(second.host, first.host)
        yield* first.end
        const gone = yield* scene.events.nth("RunnerGone")
        assert.deepStrictEqual(gone.exit, { reason: new Exited({ code: 0 }), gone: true })
        yield* second.end
      })
    )
  )

  it.live("cannot see the key of their runner, nor its role", () =>
    onHost(space, {}, ({ runners, log, events }) =>
      Effect.gen(function* () {
        const { env } = yield* Flame.call(place)
        assert.deepStrictEqual(
          Object.keys(env).filter((name) => name.startsWith("FLAME_RUNNER_")),
          []
        )
        const [pod] = yield* runners((pods) => pods.length === 1 && pods, "there is one pod")
        const key = pod.spec.containers[0].env.find(({ name }: { name: string }) => name === "FLAME_RUNNER_KEY")
        assert.isUndefined(key.value)
        assert.containsAllKeys(key.valueFrom, ["secretKeyRef"])
        assert.notMatch(JSON.stringify([events.seen, log.lines]), /FLAME_RUNNER_KEY=/)
      })
    )
  )

  it.live("that are interrupted on the parent are interrupted on the runner, and the caller waits for that", () =>
    onHost(space, {}, (scene) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkScoped(Flame.call(play, { key: "a" }), { startImmediately: true })
        yield* scene.stage.said("a", "started")
        yield* Fiber.interrupt(fiber)
        yield* scene.stage.said("a", "finalized")
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
      })
    )
  )
})
