import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { KubeError } from "../../../src/kubernetes/api/KubeError.ts"
import * as PodWatch from "../../../src/kubernetes/watch/PodWatch.ts"
import * as Random from "../../simulation/Random.ts"
import { FakeApi, forbidden, tooOld, unreachable } from "../kit/FakeApi.ts"

const gone = new KubeError({
  verb: "watch",
  resource: "pods",
  status: 410,
  reason: "Expired",
  detail: "too old resource version",
  retryable: false
})

const watching = (api: FakeApi, options: Partial<PodWatch.PodWatchOptions> = {}) =>
  Effect.gen(function* () {
    const watch = yield* PodWatch.make({ selector: "flame.dev/role=runner", ...options })
    // The watch starts in a fiber of its own.
    yield* TestClock.adjust(0)
    return watch
  }).pipe(Effect.provide(api.layer))

const following = (watch: PodWatch.PodWatch, name: string): Array<string> => {
  const told: Array<string> = []
  watch.follow(name, ({ gone, pod }) => told.push(`${gone ? "gone " : ""}${pod.status?.phase}`))
  return told
}

/** Delivers the events that were sent. */
const flushed = (api: FakeApi) =>
  Effect.suspend(() => {
    api.flush()
    return TestClock.adjust(0)
  })

const warnings = () => {
  const texts: Array<string> = []
  const logger = Logger.make(({ message }) => {
    texts.push(String(Array.isArray(message) ? message[0] : message))
  })
  return { texts, layer: Logger.layer([logger]) }
}

describe("the watch of pods", () => {
  it.effect("sends a follower the present state, then every change to the end", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      api.history.create("a")
      const watch = yield* watching(api)
      const a = following(watch, "a")
      const b = following(watch, "b")
      assert.deepStrictEqual([a, b], [["Pending"], []])
      api.history.modify("a", "Running")
      api.history.create("b", "Pending")
      api.history.delete("a", "Failed")
      yield* flushed(api)
      assert.deepStrictEqual([a, b], [["Pending", "Running", "gone Failed"], ["Pending"]])
      assert.isUndefined(watch.get("a"))
      assert.strictEqual(watch.get("b")?.status?.phase, "Pending")
      assert.deepStrictEqual(watch.counters, { reconnects: 0, relists: 1, events: 3 })
      assert.deepStrictEqual(api.calls, ["list", "watch 96"])
    })
  )

  it.effect("resumes at its version when the server ends the watch, without a list", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const watch = yield* watching(api)
      const a = following(watch, "a")
      api.history.create("a")
      yield* flushed(api)
      api.say(api.history.bookmarkAt((api.history.version += 10)))
      yield* TestClock.adjust(0)
      api.cut()
      api.history.modify("a", "Running")
      api.history.delete("a", "Succeeded")
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(a, ["Pending", "Running", "gone Succeeded"])
      assert.deepStrictEqual(api.calls, ["list", "watch 95", "watch 106"])
      assert.isTrue(watch.isFresh())
      assert.strictEqual(watch.counters.reconnects, 1)
    })
  )

  it.effect("survives an outage of ten minutes with an attempt every few seconds, and misses nothing", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      api.history.create("a", "Running")
      const log = warnings()
      const watch = yield* watching(api, { relistEvery: "1 hour" }).pipe(Effect.provide(log.layer))
      const a = following(watch, "a")
      api.down = unreachable
      api.cut(unreachable)
      yield* TestClock.adjust("10 minutes")
      assert.isFalse(watch.isFresh())
      assert.isBelow(api.calls.length, 300)
      assert.isAbove(api.calls.length, 110)
      api.history.modify("a", "Failed")
      api.down = undefined
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(a, ["Running", "Failed"])
      assert.isTrue(watch.isFresh())
      assert.strictEqual(watch.counters.relists, 1)
      assert.lengthOf(log.texts, 2)
    })
  )

  it.effect("lists when a watch is answered with 410, or an event says so [C168]", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      api.history.create("a", "Running")
      const watch = yield* watching(api, { relistEvery: "1 hour" })
      const a = following(watch, "a")
      yield* TestClock.adjust("10 seconds")
      api.history.delete("a")
      api.down = gone
      api.cut(gone)
      yield* TestClock.adjust(0)
      api.down = undefined
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(watch.counters.relists, 2)
      assert.deepStrictEqual(a, ["Running", "gone Running"])
    })
  )

  it.effect("pauses longer after each failure, and briefly again after a watch that worked [C168]", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      yield* watching(api, { relistEvery: "1 hour" })
      api.down = unreachable
      api.cut(unreachable)
      yield* TestClock.adjust("2 minutes")
      const during = api.calls.length
      yield* TestClock.adjust("1 minute")
      // Pauses are from 2.5 s to 5 s here.
      assert.isAtMost(api.calls.length - during, 25)
      api.down = undefined
      yield* TestClock.adjust("1 minute")
      for (let cut = 0; cut < 5; cut++) {
        const before = api.calls.length
        api.history.create(`pod-${cut}`)
        yield* flushed(api)
        api.cut()
        yield* TestClock.adjust("50 millis")
        assert.strictEqual(api.calls.length, before + 1)
      }
    })
  )

  it.effect("starts with a list when its version was forgotten, and reports pods that vanished meanwhile", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      api.history.create("a", "Running")
      const watch = yield* watching(api)
      yield* TestClock.adjust("10 seconds")
      const a = following(watch, "a")
      const b = following(watch, "b")
      api.history.delete("a")
      api.history.create("b")
      api.floor = api.history.version
      api.cut()
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(a, ["Running", "gone Running"])
      assert.deepStrictEqual(b, ["Pending"])
      assert.deepStrictEqual(api.calls, ["list", "watch 96", "watch 96", "list", "watch 98"])
      // Arrives in the middle of a watch.
      api.history.modify("b", "Running")
      api.say(tooOld)
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(b, ["Pending", "Running"])
      assert.isTrue(watch.isFresh())
    })
  )

  it.effect("lists at most every five seconds, however often its version is forgotten", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      yield* watching(api)
      api.floor = Number.POSITIVE_INFINITY
      api.cut()
      yield* TestClock.adjust("1 minute")
      const lists = api.calls.filter((call) => call === "list").length
      assert.isTrue(lists >= 11 && lists <= 13, `${lists}`)
    })
  )

  it.effect("notices a watch that never sends anything", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const watch = yield* watching(api, { relistEvery: "1 hour" })
      const a = following(watch, "a")
      api.isMute = true
      api.history.create("a")
      yield* flushed(api)
      yield* TestClock.adjust("89 seconds")
      assert.deepStrictEqual([a, watch.counters.reconnects], [[], 0])
      api.isMute = false
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([a, watch.counters.reconnects], [["Pending"], 1])
      // Bookmarks are signs of life.
      for (let minute = 0; minute < 5; minute++) {
        yield* TestClock.adjust("1 minute")
        api.say(api.history.bookmarkAt(api.history.version))
        yield* TestClock.adjust(0)
      }
      assert.strictEqual(watch.counters.reconnects, 1)
    })
  )

  it.effect("lists every five minutes, and sends no other requests", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const watch = yield* watching(api)
      const told: Array<number> = []
      watch.onRelist((pods) => told.push(pods.size))
      for (let minute = 0; minute < 60; minute++) {
        yield* TestClock.adjust("1 minute")
        api.say(api.history.bookmarkAt(api.history.version))
      }
      const lists = api.calls.filter((call) => call !== "watch 95").length - 1
      assert.isTrue(lists >= 10 && lists <= 15, `${lists}`)
      assert.strictEqual(told.length, lists)
      assert.deepStrictEqual(
        api.calls.filter((call) => call.startsWith("watch")),
        ["watch 95"]
      )
    })
  )

  it.effect("lists once for all that ask at a time, and continues when one of them is interrupted", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const watch = yield* watching(api)
      const asking = [
        yield* Effect.forkChild(watch.relist),
        yield* Effect.forkChild(watch.relist),
        yield* Effect.forkChild(watch.relist)
      ] as const
      yield* TestClock.adjust("4900 millis")
      assert.deepStrictEqual(api.calls, ["list", "watch 95"])
      yield* Fiber.interrupt(asking[0])
      yield* TestClock.adjust("200 millis")
      yield* Fiber.join(asking[1])
      yield* Fiber.join(asking[2])
      assert.deepStrictEqual(api.calls, ["list", "watch 95", "list"])
    })
  )

  it.effect("lets the watch report the last state of a pod for a second when a list is first to miss the pod", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      api.history.create("a", "Running")
      api.history.create("b", "Running")
      const watch = yield* watching(api)
      yield* TestClock.adjust("10 seconds")
      const a = following(watch, "a")
      const b = following(watch, "b")
      api.history.delete("a", "Failed")
      const relist = yield* Effect.forkChild(watch.relist)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(a, ["Running"])
      yield* flushed(api)
      assert.deepStrictEqual(a, ["Running", "gone Failed"])
      yield* TestClock.adjust("500 millis")
      yield* Fiber.join(relist)
      // A deletion that the watch never reports.
      api.isMute = true
      api.history.delete("b", "Failed")
      yield* flushed(api)
      const again = yield* Effect.forkChild(watch.relist)
      yield* TestClock.adjust("6 seconds")
      yield* Fiber.join(again)
      assert.deepStrictEqual(b, ["Running", "gone Running"])
      assert.deepStrictEqual(a, ["Running", "gone Failed"])
    })
  )

  it.effect("requests an exact list if the server's cache is older than what is known", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      api.history.create("a", "Running")
      const watch = yield* watching(api)
      yield* TestClock.adjust("10 seconds")
      const a = following(watch, "a")
      const b = following(watch, "b")
      api.history.delete("a", "Succeeded")
      api.history.create("b", "Running")
      yield* flushed(api)
      api.lag = 2
      yield* watch.relist
      assert.deepStrictEqual(api.calls.slice(2), ["list", "list exact"])
      assert.deepStrictEqual([a, b], [["Running", "gone Succeeded"], ["Running"]])
    })
  )

  it.effect("does not report a pod as gone that was created after the version of the cache", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const watch = yield* watching(api)
      yield* TestClock.adjust("10 seconds")
      const a = following(watch, "a")
      watch.note(api.history.create("a"))
      api.lag = 1
      yield* watch.relist
      assert.deepStrictEqual(a, ["Pending"])
      yield* flushed(api)
      assert.deepStrictEqual(a, ["Pending"])
    })
  )

  it.effect("reports the end of a pod that was created and deleted while there was no watch", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const watch = yield* watching(api)
      yield* TestClock.adjust("10 seconds")
      const a = following(watch, "a")
      api.down = unreachable
      api.cut(unreachable)
      watch.note(api.history.create("a"))
      api.history.delete("a", "Failed")
      api.floor = api.history.version
      api.down = undefined
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(a, ["Pending", "gone Pending"])
    })
  )

  it.effect("starts anew when the cluster was restored to an older state", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      api.history.version = 5000
      api.history.create("a", "Running")
      const log = warnings()
      const watch = yield* watching(api).pipe(Effect.provide(log.layer))
      yield* TestClock.adjust("10 seconds")
      const a = following(watch, "a")
      api.history.events.length = 0
      api.history.version = 200
      yield* watch.relist
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(a, ["Running", "gone Running"])
      assert.deepStrictEqual(api.calls, ["list", "watch 5001", "list", "list exact", "watch 200"])
      assert.deepStrictEqual(log.texts, [
        "the history of the API server began again, as after a restore from a backup; all pods are taken from its list"
      ])
    })
  )

  it.effect("fails if the first list is refused, and waits if there is no answer", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      api.down = forbidden
      assert.strictEqual(yield* Effect.flip(watching(api)), forbidden)
      api.down = unreachable
      const fiber = yield* Effect.forkChild(watching(api))
      yield* TestClock.adjust("30 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      api.down = undefined
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).counters.relists, 1)
    })
  )

  it.effect("reports a later refusal once, and keeps trying", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const log = warnings()
      const watch = yield* watching(api).pipe(Effect.provide(log.layer))
      const a = following(watch, "a")
      api.down = forbidden
      api.cut(forbidden)
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(log.texts, ["the pods of runners cannot be watched; trying again"])
      api.down = undefined
      api.history.create("a")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(a, ["Pending"])
    })
  )

  it.effect("survives followers that throw, and sends all changes to the others in order", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const log = warnings()
      const watch = yield* watching(api).pipe(Effect.provide(log.layer))
      const raise = () => {
        throw new Error("no")
      }
      const nested: Array<string> = []
      watch.follow("a", ({ pod }) => {
        // Causes a change, and adds a follower, while others have not got this change yet.
        if (pod.status?.phase !== "Pending") return
        watch.note(api.history.modify("a", "Running"))
        watch.follow("a", ({ pod }) => nested.push(pod.status!.phase!))
      })
      watch.follow("a", raise)
      const a = following(watch, "a")
      watch.onRelist(raise)
      api.history.create("a")
      yield* flushed(api)
      yield* TestClock.adjust("10 seconds")
      yield* watch.relist
      assert.deepStrictEqual(a, ["Pending", "Running"])
      assert.deepStrictEqual(nested, ["Running"])
      assert.deepStrictEqual(log.texts, Array<string>(3).fill("a follower of a pod threw"))
    })
  )

  it.effect("lists when the watch sends an event that cannot be read", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const log = warnings()
      const watch = yield* watching(api).pipe(Effect.provide(log.layer))
      yield* TestClock.adjust("10 seconds")
      const a = following(watch, "a")
      api.say({ type: "ADDED", object: undefined as never })
      api.history.create("a")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(a, ["Pending"])
      assert.deepStrictEqual(log.texts, [
        "a watch of pods reported an event that cannot be parsed; the pods are listed instead"
      ])
    })
  )

  it.effect("ends with its scope, and so does a wait for a list", () =>
    Effect.gen(function* () {
      const api = new FakeApi()
      const scope = yield* Scope.make()
      const watch = yield* Scope.provide(watching(api), scope)
      assert.strictEqual(api.watches, 1)
      const asking = yield* Effect.forkChild(watch.relist)
      yield* TestClock.adjust("1 second")
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(asking)
      yield* watch.relist
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(api.watches, 0)
      assert.deepStrictEqual(api.calls, ["list", "watch 95"])
    })
  )

  it.effect("reports the exact end of every pod, whatever happens to server and connection", () =>
    Effect.forEach(
      Array.from({ length: 60 }, (_, seed) => seed),
      randomly,
      { discard: true }
    )
  )
})

/** Creates and deletes pods for some minutes, while everything that can break does. */
const randomly = (seed: number) =>
  Effect.gen(function* () {
    const random = Random.make(seed)
    const api = new FakeApi()
    const watch = yield* watching(api, { relistEvery: "20 seconds" })
    const ends = new Map<string, Array<string>>()
    const seen = new Set<string>()
    let count = 0
    for (let step = 0; step < 300; step++) {
      const dice = random()
      const name = Random.pick(api.history.names, random())
      if (dice < 0.2) {
        const created = `pod-${count++}`
        ends.set(created, [])
        watch.follow(created, ({ gone, pod }) => {
          seen.add(created)
          if (gone) ends.get(created)!.push(pod.metadata.uid!)
        })
        const pod = api.history.create(created)
        if (random() < 0.5) watch.note(pod)
      } else if (dice < 0.4 && name !== undefined) api.history.modify(name, `state ${step}`)
      else if (dice < 0.55 && name !== undefined) api.history.delete(name, "end")
      else if (dice < 0.7) api.flush()
      else if (dice < 0.75) api.cut(random() < 0.5 ? unreachable : undefined)
      else if (dice < 0.78) api.floor = api.history.version
      else if (dice < 0.8) api.down = api.down === undefined ? unreachable : undefined
      else if (dice < 0.82) api.lag = Math.floor(random() * 5)
      else if (dice < 0.84) api.isMute = !api.isMute
      yield* TestClock.adjust(random() < 0.8 ? 100 * random() : 5_000 * random())
    }
    api.down = undefined
    api.isMute = false
    api.lag = 0
    yield* TestClock.adjust("1 minute")
    const there = api.history.listAt(api.history.version).items
    for (const pod of there) assert.deepStrictEqual(watch.get(pod.metadata.name!), pod, `seed ${seed}`)
    for (const [name, told] of ends) {
      if (api.history.has(name)) assert.deepStrictEqual(told, [], `${name} lives, seed ${seed}`)
      else assert.strictEqual(told.length, seen.has(name) ? 1 : 0, `${name}, seed ${seed}`)
      assert.strictEqual(watch.get(name) !== undefined, api.history.has(name), `${name}, seed ${seed}`)
    }
  }).pipe(Effect.scoped)
