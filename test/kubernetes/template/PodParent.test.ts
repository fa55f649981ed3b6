import { assert, describe, it } from "@effect/vitest"
import { InvalidSpec } from "../../../src/error/BootFailure.ts"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import * as PodParent from "../../../src/kubernetes/template/PodParent.ts"

const podOf = (names: ReadonlyArray<string>, marked?: string): Pod => ({
  metadata: {
    name: "web",
    ...(marked === undefined ? {} : { annotations: { "kubectl.kubernetes.io/default-container": marked } })
  },
  spec: { containers: names.map((name) => ({ name })) }
})

const find = (pod: Pod, option?: string, found?: string): string => {
  const parent = PodParent.find(pod, option, found)
  return parent instanceof InvalidSpec ? parent.message : parent.container.name
}

describe("the parent's container [C149]", () => {
  it.each([
    ["found by the process, before the annotation", podOf(["log-agent", "app"], "log-agent"), undefined, "app", "app"],
    ["named by the option", podOf(["log-agent", "app"]), "app", undefined, "app"],
    ["named by both", podOf(["log-agent", "app"]), "app", "app", "app"],
    ["named by the annotation", podOf(["log-agent", "app"], "app"), undefined, undefined, "app"],
    ["the only one", podOf(["app"]), undefined, undefined, "app"],
    ["the only one beside a proxy", podOf(["istio-proxy", "app"]), undefined, undefined, "app"],
    ["not in the pod, so that the process is in a debug container", podOf(["app"]), undefined, "debugger", "app"]
  ] as const)("is %s", (_, pod, option, found, expected) => {
    assert.strictEqual(find(pod, option, found), expected)
  })

  it("is an error with the container, the others and the option if the option names a wrong one", () => {
    assert.strictEqual(
      find(podOf(["log-agent", "app", "db"]), "log-agent", "app"),
      "the option `container` says log-agent, but this process runs in container app of pod web (the other containers: log-agent, db): remove `container`, or set it to app"
    )
    assert.strictEqual(find(podOf(["app"]), "x", "app"), "pod web has no container x: set `container` to one of app")
  })

  it("is an error with the first, the others and the option if it cannot be found among several", () => {
    assert.strictEqual(
      find(podOf(["log-agent", "app"])),
      "this process cannot find out which container of pod web it runs in: log-agent, which is the first, or one of the others (app): set `container`"
    )
  })
})
