import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, FiberSet } from "effect"
import { TestClock } from "effect/testing"
import { Graveyard } from "../../../src/kubernetes/hub/Graveyard.ts"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import * as PodLabels from "../../../src/kubernetes/object/PodLabels.ts"
import * as PodWatch from "../../../src/kubernetes/watch/PodWatch.ts"
import { judge, reap } from "../../../src/kubernetes/hub/Reaping.ts"
import { KubeMock } from "../../../src/testing/index.ts"

const runner = (name: string, life: string, phase: string = "Running"): Pod => ({
  metadata: { name, labels: { role: "runner" }, annotations: { [PodLabels.life]: life } },
  spec: { containers: [{ name: "runner" }], nodeName: "node1" },
  status: { phase }
})

const names = Effect.flatMap(KubeMock, ({ pods }) =>
  Effect.map(pods, (all) => all.map(({ metadata }) => metadata.name ?? "").toSorted())
)

/** Reaps from now on, for the life `now`. */
const reaping = (living: ReadonlySet<string> = new Set()) =>
  Effect.gen(function* () {
    const client = yield* KubeClient
    const watch = yield* PodWatch.make({ selector: "role=runner", relistEvery: "5 minutes" })
    const run = yield* FiberSet.makeRuntime<never>()
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const graveyard = new Graveyard(client, watch, run, now, () => {})
    yield* reap({ life: "now", living, watch, graveyard })
    yield* TestClock.adjust("1 second")
    return { graveyard, watch }
  })

describe("a pod that may belong to this parent", () => {
  const known = (name: string) => name === "known"

  it.each([
    ["known", "now", "Running", "ours"],
    ["known", "now", "Failed", "ours"],
    ["stray", "now", "Pending", "stray"],
    ["stray", "now", "Failed", "stray"],
    ["other", "before", "Succeeded", "ended"],
    ["other", "before", "Failed", "ended"],
    ["other", "before", "Running", "another's"],
    ["other", "before", "Pending", "another's"],
    ["other", "before", "Unknown", "another's"],
    // Two lives of one parent do not share names.
    ["known", "before", "Running", "another's"]
  ] as const)("called %s, of the life %s, in phase %s, is %s", (name, life, phase, verdict) => {
    assert.strictEqual(judge(runner(name, life, phase), "now", known), verdict)
  })

  it("counts as another parent's while the own life is unknown", () => {
    const bare: Pod = { metadata: { name: "bare" }, spec: { containers: [] } }
    assert.strictEqual(judge(bare, "now", known), "another's")
  })
})

describe("the removal of leftover pods", () => {
  it.effect("deletes ended pods of former lives at the start, and no running pod", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* mock.put(runner("ended", "before", "Failed"))
      yield* mock.put(runner("done", "before", "Succeeded"))
      yield* mock.put(runner("lives", "before"))
      yield* mock.put(runner("boots", "beside", "Pending"))
      yield* reaping()
      assert.deepStrictEqual(yield* names, ["boots", "lives"])
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("looks again 30 s later, when pods that ran at the start have ended", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* mock.put(runner("lives", "before"))
      yield* reaping()
      yield* TestClock.adjust("10 seconds")
      yield* mock.put(runner("lives", "before", "Failed"))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* names, ["lives"])
      yield* TestClock.adjust("11 seconds")
      assert.deepStrictEqual(yield* names, [])
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("looks at every list, and deletes pods of this life without a runner", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* reaping(new Set(["ours"]))
      yield* TestClock.adjust("31 seconds")
      yield* mock.put(runner("ours", "now"))
      yield* mock.put(runner("stray", "now"))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* names, ["ours", "stray"])
      yield* TestClock.adjust("6 minutes")
      assert.deepStrictEqual(yield* names, ["ours"])
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("ignores a pod that the graveyard deletes", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const mock = yield* KubeMock
      const { graveyard, watch } = yield* reaping()
      yield* mock.ending({ after: 60_000, exitCode: 0 })
      const { metadata } = yield* mock.put(runner("a", "now"))
      yield* TestClock.adjust("1 second")
      yield* graveyard.removePod("a", metadata.uid, 40)
      yield* TestClock.adjust("10 seconds")
      yield* watch.relist
      assert.strictEqual(client.requests()["delete pods"], 1)
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("ends with its scope", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* Effect.scoped(reaping())
      yield* mock.put(runner("ended", "before", "Failed"))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* names, ["ended"])
    }).pipe(Effect.provide(KubeMock.layer()))
  )
})
