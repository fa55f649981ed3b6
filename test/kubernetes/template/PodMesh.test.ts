import { assert, describe, it } from "@effect/vitest"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import * as PodMesh from "../../../src/kubernetes/template/PodMesh.ts"

const pod = (metadata: Pod["metadata"], containers: ReadonlyArray<string>, init: ReadonlyArray<string> = []): Pod => ({
  metadata,
  spec: { containers: containers.map((name) => ({ name })), initContainers: init.map((name) => ({ name })) }
})

describe("runners and a service mesh", () => {
  it("stay out of a mesh unless their parent's pod is known to be in it", () => {
    const out = {
      labels: { "sidecar.istio.io/inject": "false" },
      annotations: { "sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled" }
    }
    assert.deepStrictEqual(PodMesh.metadataOf(pod({}, ["app"]), 9345), out)
    assert.deepStrictEqual(PodMesh.metadataOf(undefined, undefined), out)
    assert.isUndefined(PodMesh.adviceFor(pod({}, ["app"]), 9345))
  })

  it("bypass the proxy of the parent's mesh, which is a container or a restartable init container", () => {
    const labels = { "sidecar.istio.io/inject": "true", app: "web" }
    for (const parent of [pod({ labels }, ["app", "istio-proxy"]), pod({ labels }, ["app"], ["istio-proxy"])]) {
      assert.deepStrictEqual(PodMesh.metadataOf(parent, 9345), {
        labels: { "sidecar.istio.io/inject": "true" },
        annotations: { "traffic.sidecar.istio.io/excludeOutboundPorts": "9345" }
      })
    }
    assert.deepStrictEqual(PodMesh.metadataOf(pod({}, ["app", "linkerd-proxy"]), 9345), {
      labels: {},
      annotations: { "config.linkerd.io/skip-outbound-ports": "9345" }
    })
  })

  it("can dial the parent only after a patch, which keeps earlier exclusions", () => {
    const inbound = "traffic.sidecar.istio.io/excludeInboundPorts"
    const advice = (annotations: Record<string, string>) =>
      PodMesh.adviceFor(pod({ annotations }, ["app", "istio-proxy"]), 9345)
    assert.match(
      advice({}) ?? "",
      /in Istio, .*\n {2}annotations:\n {4}traffic.sidecar.istio.io\/excludeInboundPorts: "9345"$/
    )
    assert.match(advice({ [inbound]: "8080, 9000" }) ?? "", /: "8080,9000,9345"$/)
    assert.isUndefined(advice({ [inbound]: "8080, 9345" }))
  })
})
