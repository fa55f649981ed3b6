import { assert, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import type { Pod } from "../../src/kubernetes/object/KubeObjects.ts"
import { KubeMock } from "../../src/testing/KubeMock.ts"
import * as PodParent from "./kit/PodParent.ts"

const self = { namespace: "default", name: "web-1", uid: "left-out" }

const pod: Pod = {
  metadata: { name: self.name, namespace: self.namespace, uid: self.uid },
  spec: {
    hostNetwork: true,
    containers: [{ name: "app", image: "app:1", volumeMounts: [{ name: "data", mountPath: "/data" }] }],
    volumes: [{ name: "data", emptyDir: {} }]
  },
  status: { podIP: "127.0.0.1", phase: "Running" }
}

it.effect(
  "the list of fields that runners do not inherit is logged once for each distinct list, in any number of layers [C148]",
  () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* mock.put(pod)
      const warnings: Array<string> = []
      const logger = Logger.make(({ message }) => {
        const text = String(message)
        if (text.includes("runners go without")) warnings.push(text)
      })
      const layers = [{}, {}, { volumes: ["data"] }, { volumes: ["data"] }, {}]
      yield* Effect.forEach(layers, (options, index) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* PodParent.launch(yield* PodParent.make({ ...options, instance: `${index}` }))
            yield* TestClock.adjust("1 second")
          })
        )
      ).pipe(Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(
        warnings.map((text) => text.split("\n").slice(1)),
        [["  - volume data at /data (list it in `volumes`)", "  - hostNetwork"], ["  - hostNetwork"]]
      )
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster(() => ({ self }))))
)
