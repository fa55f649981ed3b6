import { assert, describe, it } from "@effect/vitest"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import * as OwnContainer from "../../../src/kubernetes/template/OwnContainer.ts"

const uid = "8c1f8ef0-dc97-476b-a999-357ef0432582"
const id = "ab".repeat(32)

const pod: Pod = {
  metadata: { name: "web", uid },
  spec: { containers: [{ name: "log-agent" }, { name: "app" }] },
  status: {
    containerStatuses: [
      { name: "log-agent", containerID: `containerd://${"cd".repeat(32)}` },
      { name: "app", containerID: `containerd://${id}` }
    ]
  }
}

/** Mounts as containerd 2 writes them, with control groups of version 2 in a namespace. */
const mountinfo = (root: string, name: string): string =>
  [
    "644 568 0:80 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/containerd/1/fs",
    `651 644 8:1 ${root}/pods/${uid}/etc-hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw`,
    `652 644 8:1 ${root}/pods/${uid}/containers/${name}/5b1ed0a8 /dev/termination-log rw,relatime - ext4 /dev/sda1 rw`,
    `653 644 8:1 ${root}/pods/${uid}/volumes/kubernetes.io~empty-dir/containers/log-agent /x rw - ext4 /dev/sda1 rw`
  ].join("\n")

describe("the container of this process [C149]", () => {
  it.each([["/var/lib/kubelet"], ["/data/k3s/kubelet"], [""]])("is found by the mounts of a kubelet at %s", (root) => {
    assert.strictEqual(OwnContainer.nameIn(pod, { mountinfo: mountinfo(root, "app"), cgroup: "0::/\n" }), "app")
  })

  it.each([
    [`0::/kubepods.slice/kubepods-burstable.slice/kubepods-pod${uid}.slice/cri-containerd-${id}.scope`],
    [`12:cpu:/kubepods/pod${uid}/${id}\n11:memory:/kubepods/pod${uid}/${id}`],
    [`0::/../crio-${id}`]
  ])("is named by the control group %s", (cgroup) => {
    assert.strictEqual(OwnContainer.nameIn(pod, { mountinfo: "", cgroup }), "app")
  })

  it("is unknown if no mount or control group names a container of the pod", () => {
    const debugged = { mountinfo: mountinfo("/var/lib/kubelet", "debugger-x2x"), cgroup: `0::/${"ef".repeat(32)}` }
    assert.isUndefined(OwnContainer.nameIn(pod, debugged))
    assert.isUndefined(OwnContainer.nameIn(pod, { mountinfo: "", cgroup: "" }))
    assert.isUndefined(OwnContainer.nameIn({ metadata: {}, spec: pod.spec }, { mountinfo: "", cgroup: `0::/${id}` }))
  })

  it("is unknown outside of a pod, without an error", () => {
    assert.isUndefined(OwnContainer.nameIn(pod, OwnContainer.read()))
  })
})
