import { assert, describe, it } from "@effect/vitest"
import { InvalidSpec } from "../../../src/error/BootFailure.ts"
import type { EnvVar, Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import * as ObjectNames from "../../../src/kubernetes/object/ObjectNames.ts"
import * as PodLeftOut from "../../../src/kubernetes/template/PodLeftOut.ts"
import type { PodOptions } from "../../../src/kubernetes/template/PodOptions.ts"
import * as PodParent from "../../../src/kubernetes/template/PodParent.ts"
import * as PodTemplate from "../../../src/kubernetes/template/PodTemplate.ts"

const parentPod = (container: object = {}, spec: object = {}, metadata: Pod["metadata"] = {}): Pod => ({
  metadata: { name: "web-3", namespace: "apps", uid: "u-1", ...metadata },
  spec: { containers: [{ name: "app", image: "app:1", ...container }], ...spec }
})

const templateOf = (pod: Pod, options: PodOptions = {}): PodTemplate.PodTemplate => {
  const parent = PodParent.find(pod, options.container)
  assert.notInstanceOf(parent, InvalidSpec)
  const made = PodTemplate.make(options, parent, ObjectNames.inCluster("u-1", "app"), 9345)
  return made instanceof InvalidSpec ? assert.fail(made.message) : made
}

const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } })
const resource = (name: string, resource: string, divisor = "0"): EnvVar => ({
  name,
  valueFrom: { resourceFieldRef: { containerName: "app", resource, divisor } }
})

const envOf = (pod: Pod, options: PodOptions = {}): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    (templateOf(pod, options).container.env ?? []).map(({ name, value, valueFrom }) => [name, value ?? valueFrom])
  )

describe("variables that describe the parent's pod [C145]", () => {
  const metadata: Pod["metadata"] = {
    labels: { app: "web", "apps.kubernetes.io/pod-index": "3" },
    annotations: { "batch.kubernetes.io/job-completion-index": "7", price: "$5 $(APP) $$" }
  }

  it("are inherited with the parent's values: labels, annotations, a job's index, an ordinal, and variables that refer to them", () => {
    const env = [
      field("APP", "metadata.labels['app']"),
      field("JOB_COMPLETION_INDEX", "metadata.annotations['batch.kubernetes.io/job-completion-index']"),
      field("ORDINAL", "metadata.labels['apps.kubernetes.io/pod-index']"),
      field("NONE", "metadata.labels['absent']"),
      field("PRICE", "metadata.annotations['price']"),
      field("ACCOUNT", "spec.serviceAccountName"),
      { name: "SHARD", value: "$(APP)-$(ORDINAL)" }
    ]
    const pod = parentPod({ env }, { serviceAccountName: "web" }, metadata)
    assert.deepStrictEqual(envOf(pod), {
      APP: "web",
      JOB_COMPLETION_INDEX: "7",
      ORDINAL: "3",
      NONE: "",
      // The kubelet turns each $$ into $, and leaves $$(APP) unexpanded.
      PRICE: "$$5 $$(APP) $$$$",
      ACCOUNT: "web",
      SHARD: "$(APP)-$(ORDINAL)"
    })
    assert.deepStrictEqual(envOf(pod, { serviceAccountName: "runner" })["ACCOUNT"], {
      fieldRef: { fieldPath: "spec.serviceAccountName" }
    })
    assert.deepStrictEqual(templateOf(pod).leftOut, [])
  })

  it("keep describing the runner's own pod if they name it, its node or its addresses", () => {
    const env = ["metadata.name", "metadata.uid", "spec.nodeName", "status.podIP", "status.hostIP"].map((path) =>
      field(path, path)
    )
    assert.deepStrictEqual(
      envOf(parentPod({ env })),
      Object.fromEntries(env.map(({ name, valueFrom }) => [name, valueFrom]))
    )
  })

  it("that hold the name of a StatefulSet's pod are reported by name, because a runner has no ordinal", () => {
    const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web", uid: "s", controller: true }
    const env = [field("POD_NAME", "metadata.name"), field("HOST", "metadata.name"), field("UID", "metadata.uid")]
    assert.deepStrictEqual(
      templateOf(parentPod({ env }, {}, { ownerReferences: [owner] })).leftOut.map((entry) => entry.slice(0, 34)),
      ["the value of the variable POD_NAME", "the value of the variable HOST, wh"]
    )
    assert.deepStrictEqual(
      templateOf(parentPod({ env }, {}, { ownerReferences: [{ ...owner, kind: "ReplicaSet" }] })).leftOut,
      []
    )
  })

  it.each([
    ["500m", "0", "1"],
    ["1500m", "1", "2"],
    ["1500m", "1m", "1500"],
    ["2", "0", "2"]
  ])("hold the parent's CPU limit of %s in units of %s: %s", (cpu, divisor, expected) => {
    const env = [resource("CPUS", "limits.cpu", divisor), resource("MEMORY", "limits.memory")]
    const memory = { resourceFieldRef: { resource: "limits.memory", divisor: "0" } }
    const own = parentPod({ env, resources: { limits: { cpu, memory: "1Gi" } } })
    const ofPod = parentPod({ env }, { resources: { limits: { cpu, memory: "1Gi" } } })
    for (const pod of [own, ofPod]) assert.deepStrictEqual(envOf(pod), { CPUS: expected, MEMORY: memory })
    // A runner with a limit of its own gets that limit.
    assert.deepStrictEqual(envOf(own, { resources: { limits: { cpu: "3" } } })["CPUS"], {
      resourceFieldRef: { resource: "limits.cpu", divisor }
    })
  })

  it("are left out and reported if they refer to a variable that the options remove", () => {
    const env = [
      { name: "BASE", value: "x" },
      { name: "FULL", value: "$(BASE)/y" }
    ]
    const pod = parentPod({ env })
    assert.deepStrictEqual(envOf(pod, { env: { BASE: undefined } }), {})
    assert.deepStrictEqual(templateOf(pod, { env: { BASE: undefined } }).leftOut, [
      "the variable FULL: it is made of BASE, which runners lack (set it in `env`)"
    ])
  })

  it("that refer to others come after those, also if the options replace one", () => {
    const env = [
      { name: "BASE", value: "x" },
      { name: "FULL", value: "$(BASE)/y" }
    ]
    const names = (options: PodOptions) =>
      templateOf(parentPod({ env }), options).container.env?.map(({ name }) => name)
    assert.deepStrictEqual(names({ env: { BASE: "z", MORE: "1" } }), ["BASE", "FULL", "MORE"])
    assert.deepStrictEqual(names({ env: { BASE: "$(MORE)", MORE: "1" } }), ["FULL", "BASE", "MORE"])
  })
})

describe("resources and users of the parent's pod [C146]", () => {
  const resources = { requests: { cpu: "50m", memory: "128Mi" }, limits: { cpu: "1", memory: "600Mi" } }
  const pod = parentPod({}, { resources, hostUsers: false, os: { name: "linux" } })

  it("are inherited, without the CPU limit", () => {
    const { spec } = templateOf(pod)
    assert.deepStrictEqual(spec.resources, { requests: resources.requests, limits: { memory: "600Mi" } })
    assert.isFalse(spec.hostUsers)
    assert.deepStrictEqual(spec.os, { name: "linux" })
  })

  it("are not inherited by runners with resources of their own, which may not fit into them", () => {
    assert.isUndefined(templateOf(pod, { resources: { limits: { memory: "1Gi" } } }).spec.resources)
    const manifest = { spec: { containers: [{ resources: {} }] } }
    assert.isUndefined(templateOf(pod, { manifest }).spec.resources)
    const own = { spec: { resources: { limits: { memory: "1Gi" } } } }
    assert.deepStrictEqual(templateOf(pod, { manifest: own }).spec.resources, own.spec.resources)
  })

  it("include the CPU limit for a namespace that demands one; the user's own limit has precedence [C151]", () => {
    assert.strictEqual(templateOf(pod).cpuLimit, "1")
    const request = {
      spec: { id: "a", pool: "p", life: "l", bootTimeout: 1, drainTimeout: 1, cancelGrace: 1 },
      dial: { listen: 1 },
      identity: "i",
      key: { secret: "s", entry: "e" },
      needsCpuLimit: true
    }
    const limitOf = (options: PodOptions) =>
      PodTemplate.podOf(templateOf(pod, options), request).spec.containers[0]?.resources?.limits?.["cpu"]
    assert.strictEqual(limitOf({}), "1")
    assert.strictEqual(limitOf({ resources: { limits: { cpu: "250m" } } }), "250m")
  })
})

describe("a writable folder under a read-only root [C147]", () => {
  const container = (mountPath: string, readOnlyRootFilesystem = true): object => ({
    securityContext: { readOnlyRootFilesystem },
    volumeMounts: [{ name: "tmp", mountPath }]
  })
  const volumes = [
    { name: "tmp", emptyDir: { sizeLimit: "1Gi" } },
    { name: "data", emptyDir: {} }
  ] as const
  const made = (
    pod: Pod,
    options: PodOptions = {}
  ): { readonly volumes: ReadonlyArray<unknown>; readonly mounts: ReadonlyArray<string> } => {
    const { container, spec } = templateOf(pod, options)
    return { volumes: spec.volumes ?? [], mounts: (container.volumeMounts ?? []).map(({ mountPath }) => mountPath) }
  }

  it("is inherited from the parent: the emptyDir at /tmp", () => {
    const tmp = { volumes: [volumes[0]], mounts: ["/tmp"] }
    assert.deepStrictEqual(made(parentPod(container("/tmp"), { volumes })), tmp)
    assert.deepStrictEqual(templateOf(parentPod(container("/tmp"), { volumes })).leftOut, [])
    assert.deepStrictEqual(made(parentPod(container("/tmp/"), { volumes })).mounts, ["/tmp/"])
    // The same if only the options make the root read-only.
    const lax = parentPod(container("/tmp", false), { volumes })
    assert.deepStrictEqual(made(lax, { securityContext: { readOnlyRootFilesystem: true } }), tmp)
    assert.deepStrictEqual(made(parentPod(container("/tmp"), { volumes }), { volumes: ["data"] }).volumes, volumes)
  })

  it("is not inherited if it is not needed, not an emptyDir, not wanted, or replaced", () => {
    const none = { volumes: [], mounts: [] }
    assert.deepStrictEqual(made(parentPod(container("/tmp", false), { volumes })), none)
    assert.deepStrictEqual(made(parentPod(container("/cache"), { volumes })), none)
    const claimed = [{ name: "tmp", persistentVolumeClaim: { claimName: "c" } }]
    assert.deepStrictEqual(made(parentPod(container("/tmp"), { volumes: claimed })), none)
    assert.deepStrictEqual(made(parentPod(container("/tmp"), { volumes }), { volumes: [] }), none)
    const manifest = {
      spec: {
        volumes: [{ name: "own", emptyDir: {} }],
        containers: [{ volumeMounts: [{ name: "own", mountPath: "/tmp" }] }]
      }
    }
    assert.deepStrictEqual(made(parentPod(container("/tmp"), { volumes }), { manifest }).mounts, ["/tmp"])
  })
})

describe("fields of the parent's pod that runners do not inherit [C148]", () => {
  const pod = parentPod(
    {
      volumeMounts: [
        { name: "cache", mountPath: "/cache" },
        { name: "kube-api-access-x", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }
      ],
      ports: [{ containerPort: 80 }],
      livenessProbe: {},
      lifecycle: { postStart: { exec: {} } },
      volumeDevices: [{ name: "raw", devicePath: "/dev/x" }],
      stdin: true
    },
    {
      hostNetwork: true,
      hostPID: false,
      shareProcessNamespace: true,
      topologySpreadConstraints: [{ maxSkew: 1 }],
      affinity: { podAntiAffinity: {} },
      initContainers: [{ name: "migrate" }, { name: "istio-init" }],
      subdomain: "web",
      // A field of a future version of Kubernetes.
      somethingNew: { a: 1 },
      serviceAccountName: "web",
      restartPolicy: "Always"
    }
  )
  const many: Pod = {
    ...pod,
    spec: { ...pod.spec, containers: [...pod.spec.containers, { name: "log-agent" }, { name: "istio-proxy" }] }
  }

  it("are listed by name, with fields of later versions, without those that only concern the parent", () => {
    assert.deepStrictEqual(templateOf(many, { container: "app" }).leftOut, [
      "volume cache at /cache (list it in `volumes`)",
      "init container migrate",
      "container log-agent",
      "hostNetwork",
      "shareProcessNamespace",
      "topologySpreadConstraints",
      "subdomain",
      "somethingNew",
      "volumeDevices",
      "podAntiAffinity",
      "the hook lifecycle.postStart"
    ])
  })

  it("are not listed if the options or the manifest set them", () => {
    const spec: object = { somethingNew: {} }
    const manifest: NonNullable<PodOptions["manifest"]> = {
      spec: {
        hostNetwork: false,
        shareProcessNamespace: false,
        topologySpreadConstraints: [],
        subdomain: "",
        ...spec,
        initContainers: [],
        volumes: [{ name: "own", emptyDir: {} }],
        containers: [{ volumeMounts: [{ name: "own", mountPath: "/cache" }], lifecycle: {}, volumeDevices: [] }]
      }
    }
    assert.deepStrictEqual(templateOf(pod, { manifest, affinity: {} }).leftOut, [])
  })

  it("are one text", () => {
    assert.strictEqual(
      PodLeftOut.warningOf(["hostNetwork", "container log-agent"]),
      "runners go without these parts of this pod's specification (set `manifest` for what has no option of its own):\n  - hostNetwork\n  - container log-agent"
    )
  })
})
