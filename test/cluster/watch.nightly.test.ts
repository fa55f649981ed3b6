/** Tests the watch of pods with many pods, and on a connection that is silently dead. */
import { execFileSync } from "node:child_process"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import * as KubeClientLive from "../../src/kubernetes/api/KubeClientLive.ts"
import * as PodWatch from "../../src/kubernetes/watch/PodWatch.ts"
import { patience } from "../fixtures/conformance-process/patience.ts"
import { request } from "./kit/Api.ts"
import * as ApiProxy from "./kit/ApiProxy.ts"
import { collection, create, patch, remove } from "./kit/Cluster.ts"
import * as Namespaces from "./kit/Namespaces.ts"

const space = Namespaces.ofFile("watch-nightly")

const watching = (topic: string) =>
  Effect.gen(function* () {
    const token = yield* Namespaces.token(space.name, Namespaces.account("pods"))
    const proxy = yield* ApiProxy.make({ access: inject("cluster").access, namespace: space.name, token })
    const client = KubeClientLive.layer({ kubeconfig: proxy.kubeconfig })
    const watch = yield* Effect.provide(PodWatch.make({ selector: `topic=${topic}` }), client, { local: true })
    return { proxy, watch }
  })

/** A pod that only fake nodes take. It is Running at once and runs nothing. */
const fake = (name: string, topic: string) => ({
  metadata: { name, labels: { topic } },
  spec: {
    nodeSelector: { type: "kwok" },
    tolerations: [{ key: "kwok.x-k8s.io/node", operator: "Exists" }],
    automountServiceAccountToken: false,
    containers: [
      {
        name: "runner",
        image: "localhost/app:1",
        env: Array.from({ length: 30 }, (_, at) => ({ name: `VARIABLE_${at}`, value: "what a real app has" }))
      }
    ]
  }
})

const holds = (look: () => boolean, what: () => string) =>
  Effect.callback<void>((resume) => {
    const timer = setInterval(() => {
      if (look()) resume(Effect.void)
    }, 50)
    return Effect.sync(() => clearInterval(timer))
  }).pipe(patience(what, 300_000))

/** The used heap in MiB, after a garbage collection. */
const heap = (): number => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  collect()
  collect()
  return process.memoryUsage().heapUsed / 1024 / 1024
}

const many = 2_000
const nameOf = (at: number) => `many-${at}`
const all = Array.from({ length: many }, (_, at) => nameOf(at))

describe("the watch of pods, slow tests", () => {
  it.live("keeps up with 2 000 pods, in memory that does not grow with their changes", () =>
    Effect.gen(function* () {
      const { kube } = inject("cluster").tools
      const fakeNodes = (count: number) => Effect.sync(() => execFileSync(kube!, ["fake-nodes", `${count}`]))
      yield* Effect.acquireRelease(fakeNodes(20), () => fakeNodes(0))
      const { proxy, watch } = yield* watching("many")
      const before = heap()
      let ends = 0
      const running = new Set<string>()
      for (const name of all) {
        watch.follow(name, ({ gone, pod }) => {
          if (gone) ends++
          else if (pod.status?.phase === "Running") running.add(name)
        })
      }
      const since = performance.now()
      yield* Effect.forEach(all, (name) => create(space.name, "pods", fake(name, "many")), { concurrency: 8 })
      const created = performance.now() - since
      yield* holds(
        () => running.size === many,
        () => `all are told to run; ${running.size} are`
      )
      const told = performance.now() - since
      const full = heap()
      const changes = watch.counters.events
      for (let round = 1; round <= 3; round++) {
        const change = { metadata: { annotations: { round: `${round}` } } }
        yield* Effect.forEach(all, (name) => patch(space.name, "pods", name, change), { concurrency: 8 })
      }
      const isChanged = (name: string) => watch.get(name)?.metadata.annotations?.["round"] === "3"
      const late = performance.now()
      yield* holds(
        () => all.every(isChanged),
        () => `all changes are told`
      )
      const lag = performance.now() - late
      const churned = heap()
      assert.isAtLeast(watch.counters.events - changes, 3 * many)
      assert.isBelow(Math.abs(churned - full), 4)
      assert.isBelow(lag, 2_000)
      yield* Effect.forEach(all, (name) => remove(space.name, "pods", name, { grace: 0 }), { concurrency: 8 })
      yield* holds(
        () => ends === many,
        () => `all are told gone; ${ends} are`
      )
      const empty = heap()
      assert.isBelow(empty - before, 8)
      assert.isAtMost(proxy.counts["list pods"] ?? 0, 1 + watch.counters.relists)
      const mib = [before, full, churned, empty].map((used) => used.toFixed(1)).join(", ")
      const seconds = [created, told].map((millis) => (millis / 1000).toFixed(1)).join(" and ")
      yield* Effect.log(`created and running after ${seconds} s, lag ${lag.toFixed(0)} ms, heap ${mib} MiB,`, {
        ...watch.counters
      })
    })
  )

  it.live("notices within 90 s that its connection is silently dead, and reports the events that it missed", () =>
    Effect.gen(function* () {
      const { proxy, watch } = yield* watching("dead")
      const told: Array<string> = []
      watch.follow("dead", ({ gone, pod }) => told.push(gone ? "gone" : pod.status!.phase!))
      yield* holds(
        () => proxy.openWatches === 1,
        () => "it watches"
      )
      proxy.line.stall()
      const since = performance.now()
      const pod = fake("dead", "dead")
      yield* create(space.name, "pods", { ...pod, spec: { ...pod.spec, nodeSelector: { nowhere: "true" } } })
      yield* holds(
        () => told.length > 0,
        () => "the pod is told"
      )
      const noticed = performance.now() - since
      assert.isBelow(noticed, 92_000)
      assert.strictEqual(watch.counters.relists, 1)
      yield* Effect.orDie(request("DELETE", `${collection(space.name, "pods")}/dead`))
      yield* holds(
        () => told.at(-1) === "gone",
        () => "its end is told"
      )
      yield* Effect.log(`noticed after ${(noticed / 1000).toFixed(1)} s`)
    })
  )
})
