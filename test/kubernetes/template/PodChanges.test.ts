import { assert, describe, it } from "@effect/vitest"
import type { Container, Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import { changesOf } from "../../../src/kubernetes/template/PodChanges.ts"

const pod = (resources: Container["resources"] & {}, more: Partial<Pod["spec"]> = {}): Pod => ({
  metadata: {},
  spec: { containers: [{ name: "runner", resources }], ...more }
})

describe("what admission makes of a runner's pod", () => {
  it("is told where it sets limits and requests", () => {
    const made = pod({ limits: { cpu: "500m", memory: "1Gi" }, requests: { cpu: "100m", memory: "1Gi" } })
    assert.deepStrictEqual(changesOf(pod({ limits: { memory: "1Gi" } }), made), [
      "admission gave runners a limit of 500m for cpu, such as a LimitRange does, which makes their boots slow; set `resources` to have another",
      "admission gave runners a request of 100m for cpu, such as a LimitRange does; set `resources` to have another"
    ])
  })

  it("is not told where nothing is changed, or a limit is only taken for a request too", () => {
    assert.deepStrictEqual(changesOf(pod({}), pod({})), [])
    const asked = pod({ limits: { memory: "1Gi" } })
    assert.deepStrictEqual(changesOf(asked, pod({ limits: { memory: "1Gi" }, requests: { memory: "1Gi" } })), [])
  })

  it("is told where it puts containers beside the runner", () => {
    const beside: Partial<Pod["spec"]> = {
      containers: [{ name: "istio-proxy" }, { name: "runner" }],
      initContainers: [{ name: "istio-init" }]
    }
    assert.deepStrictEqual(changesOf(pod({}), pod({}, beside)), [
      "admission gave runners the container istio-proxy, which makes their boots slower",
      "admission gave runners the init container istio-init, which makes their boots slower"
    ])
  })
})
