import { assert, describe, it } from "@effect/vitest"
import type { Container, Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import { changesOf } from "../../../src/kubernetes/template/PodChanges.ts"

const pod = (resources: Container["resources"] & {}, more: Partial<Pod["spec"]> = {}): Pod => ({
  metadata: {},
  spec: { containers: [{ name: "runner", resources }], ...more }
})

describe("a change of a runner's pod by admission", () => {
  it("that sets limits and requests is reported", () => {
    const made = pod({ limits: { cpu: "500m", memory: "1Gi" }, requests: { cpu: "100m", memory: "1Gi" } })
    assert.deepStrictEqual(changesOf(pod({ limits: { memory: "1Gi" } }), made), [
      "admission (a LimitRange, for example) set a limit of 500m for cpu on runners, which makes their boots slow; set `resources` to override it",
      "admission (a LimitRange, for example) set a request of 100m for cpu on runners; set `resources` to override it"
    ])
  })

  it("is not reported if nothing changed, or a limit only became a request too", () => {
    assert.deepStrictEqual(changesOf(pod({}), pod({})), [])
    const asked = pod({ limits: { memory: "1Gi" } })
    assert.deepStrictEqual(changesOf(asked, pod({ limits: { memory: "1Gi" }, requests: { memory: "1Gi" } })), [])
  })

  it("is not reported if the API server only writes a quantity in another way", () => {
    const sent = { limits: { cpu: "1000m", memory: "1024Mi" }, requests: { cpu: "0.7", memory: "1e9" } }
    const made = { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "700m", memory: "1G" } }
    assert.deepStrictEqual(changesOf(pod(sent), pod(made)), [])
    assert.lengthOf(changesOf(pod(sent), pod({ ...made, limits: { cpu: "2", memory: "1Gi" } })), 1)
  })

  it("that adds containers is reported", () => {
    const beside: Partial<Pod["spec"]> = {
      containers: [{ name: "istio-proxy" }, { name: "runner" }],
      initContainers: [{ name: "istio-init" }]
    }
    assert.deepStrictEqual(changesOf(pod({}), pod({}, beside)), [
      "admission added the container istio-proxy to runners, which makes their boots slower",
      "admission added the init container istio-init to runners, which makes their boots slower"
    ])
  })
})
