import { assert, it } from "@effect/vitest"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import * as PodFacts from "../../../src/kubernetes/verdict/PodFacts.ts"

it("the memory limit of a runner is its container's, else its pod's [C146]", () => {
  const pod = (own?: string, ofPod?: string): Pod => ({
    metadata: {},
    spec: {
      ...(ofPod === undefined ? {} : { resources: { limits: { memory: ofPod } } }),
      containers: [
        { name: "beside", resources: { limits: { memory: "1Mi" } } },
        { name: "runner", ...(own === undefined ? {} : { resources: { limits: { memory: own } } }) }
      ]
    }
  })
  assert.deepStrictEqual([pod("1Gi", "2Gi"), pod("1Gi"), pod(undefined, "2Gi"), pod()].map(PodFacts.memoryLimitOf), [
    "1Gi",
    "1Gi",
    "2Gi",
    undefined
  ])
})
