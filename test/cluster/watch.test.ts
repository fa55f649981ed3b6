/** Tests the watch of pods against a real API server whose connection is cut or refused, or which answers 410. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { inject } from "vitest"
import type { Pod } from "../../src/kubernetes/object/KubeObjects.ts"
import { KubeClient } from "../../src/kubernetes/api/KubeClient.ts"
import * as KubeClientLive from "../../src/kubernetes/api/KubeClientLive.ts"
import * as PodWatch from "../../src/kubernetes/watch/PodWatch.ts"
import { until } from "../fixtures/conformance-process/patience.ts"
import { follow, request } from "./kit/Api.ts"
import * as ApiProxy from "./kit/ApiProxy.ts"
import { collection, create, pod, remove } from "./kit/Cluster.ts"
import { leavesNothing, mark } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"

const space = Namespaces.ofFile("watch")

/** A pod that ends with this code at once. */
const ending = (name: string, code: number, topic: string) => ({
  metadata: { name, labels: { topic } },
  spec: {
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    containers: [
      {
        name: "runner",
        image: "localhost/node:24",
        env: [{ name: mark, value: space.name }],
        command: ["sh", "-c", `exit ${code}`]
      }
    ]
  }
})

const exitCode = (pod: Pod): number | undefined => pod.status?.containerStatuses?.[0]?.state?.terminated?.exitCode

const ended = (name: string) =>
  pod(space.name, name, (pod) => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed", "the end")

/** A watch through a proxy, as a parent has it. */
const watching = (topic: string) =>
  Effect.gen(function* () {
    const token = yield* Namespaces.token(space.name, Namespaces.account("pods"))
    const proxy = yield* ApiProxy.make({ access: inject("cluster").access, namespace: space.name, token })
    const client = KubeClientLive.layer({ kubeconfig: proxy.kubeconfig })
    const context = yield* Layer.build(client)
    const watch = yield* Effect.provideContext(PodWatch.make({ selector: `topic=${topic}` }), context)
    return { context, proxy, watch }
  })

/** The true versions of each pod, in order, by a separate watch of the administrator. */
const witness = (topic: string) =>
  Effect.gen(function* () {
    const path = collection(space.name, "pods")
    const { metadata } = yield* Effect.orDie(request("GET", path))
    const seen = new Map<string, Array<string>>()
    const query = `watch=1&labelSelector=topic%3D${topic}&resourceVersion=${metadata.resourceVersion}`
    let isOver = false
    const stop = follow(
      `${path}?${query}`,
      (line) => {
        const { object, type } = JSON.parse(line) as { readonly type: string; readonly object: Pod }
        const versions = seen.get(object.metadata.name!) ?? []
        seen.set(object.metadata.name!, [...versions, `${type === "DELETED" ? "gone " : ""}${versionOf(object)}`])
      },
      () => (isOver = true)
    )
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    return { seen, isOver: () => isOver }
  })

const versionOf = (pod: Pod) => pod.metadata.resourceVersion!

describe("the watch of pods on a real API server", () => {
  it.live("misses and invents nothing while its connection is cut every second for a minute", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { proxy, watch } = yield* watching("cut")
        const { isOver, seen } = yield* witness("cut")
        let turn = 0
        const timer = setInterval(() => proxy.cutWatches(turn++ % 2 === 0 ? "end" : "reset"), 1_000)
        yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(timer)))
        const told = new Map<string, Array<string>>()
        const codes = new Map<string, number | undefined>()
        const since = performance.now()
        let count = 0
        const onePod = Effect.gen(function* () {
          const [code, name] = [count % 7, `cut-${count++}`]
          told.set(name, [])
          watch.follow(name, ({ gone, pod }) => {
            told.get(name)!.push(`${gone ? "gone " : ""}${versionOf(pod)}`)
            if (gone) codes.set(name, exitCode(pod))
          })
          yield* create(space.name, "pods", ending(name, code, "cut"))
          // One of three pods is deleted while it starts.
          if (code % 3 !== 2) yield* ended(name)
          yield* remove(space.name, "pods", name)
          yield* until(() => watch.get(name) === undefined && codes.has(name), `${name} is told gone`)
          if (code % 3 !== 2) assert.strictEqual(codes.get(name), code)
        })
        yield* Effect.all(
          Array.from({ length: 3 }, () =>
            Effect.whileLoop({
              while: () => performance.now() - since < 60_000,
              body: () => onePod,
              step: () => {}
            })
          ),
          { concurrency: "unbounded" }
        )
        // The witness uses another connection, which may be behind the tested one.
        const isDeleted = (name: string) => seen.get(name)?.at(-1)?.startsWith("gone ") === true
        yield* until(() => isOver() || [...told.keys()].every(isDeleted), "the witness has seen every pod deleted")
        assert.isFalse(isOver())
        assert.deepStrictEqual(Object.fromEntries(told), Object.fromEntries(seen))
        assert.isAtLeast(watch.counters.reconnects, 20)
        assert.strictEqual(watch.counters.relists, 1)
        assert.strictEqual(proxy.counts["list pods"], 1)
        yield* Effect.log(`${count} pods, ${watch.counters.events} events, ${watch.counters.reconnects} reconnects`)
      })
    )
  )

  it.live("reports after an outage and a 410 which pods are gone and which exist", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { context, proxy, watch } = yield* watching("outage")
        // The proxy answers exactly as the API server does for a version that it has forgotten.
        const client = yield* Effect.provideContext(KubeClient, context)
        const [first] = yield* Stream.runCollect(Stream.take(client.watchPods("topic=outage", "1"), 1))
        assert.deepInclude(first?.object, { code: 410, reason: "Expired" })

        const told: Array<string> = []
        for (const name of ["before", "during"]) {
          watch.follow(name, ({ gone, pod }) => told.push(`${name} ${gone ? "gone" : pod.status?.phase}`))
        }
        yield* create(space.name, "pods", ending("before", 0, "outage"))
        yield* ended("before")
        yield* until(() => told.includes("before Succeeded"), `its end is told: ${told.join()}`)
        yield* Effect.promise(() => proxy.line.meet("refuse"))
        proxy.line.reset()
        yield* remove(space.name, "pods", "before", { grace: 0 })
        yield* create(space.name, "pods", ending("during", 3, "outage"))
        yield* ended("during")
        assert.isFalse(watch.isFresh())
        proxy.inject({ kind: "expire" }, ({ verb }) => verb === "watch", 1)
        yield* Effect.promise(() => proxy.line.meet("pass"))
        yield* until(
          () => told.includes("before gone") && told.includes("during Failed"),
          `both are told: ${told.join()}`
        )
        assert.strictEqual(watch.counters.relists, 2)
        assert.strictEqual(exitCode(watch.get("during")!), 3)
        yield* remove(space.name, "pods", "during")
        yield* until(() => told.at(-1) === "during gone", `it is told gone: ${told.join()}`)
        assert.strictEqual(told.filter((what) => what.endsWith("gone")).length, 2)
      })
    )
  )

  it.live("fails at the start if its account has no right to list pods", () =>
    Effect.gen(function* () {
      const token = yield* Namespaces.token(space.name, "runner")
      const proxy = yield* ApiProxy.make({ access: inject("cluster").access, namespace: space.name, token })
      const failed = PodWatch.make({ selector: "topic=none" }).pipe(
        Effect.provide(KubeClientLive.layer({ kubeconfig: proxy.kubeconfig })),
        Effect.flip
      )
      const error = yield* failed
      assert.strictEqual(error._tag === "KubeError" && error.reason, "Forbidden")
      assert.deepStrictEqual(proxy.counts, { "list pods": 1 })
    })
  )
})
