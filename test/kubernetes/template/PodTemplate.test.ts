import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { InvalidSpec } from "../../../src/error/BootFailure.ts"
import type { Container, Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import * as PodLabels from "../../../src/kubernetes/object/PodLabels.ts"
import * as ObjectNames from "../../../src/kubernetes/object/ObjectNames.ts"
import type { PodOptions } from "../../../src/kubernetes/template/PodOptions.ts"
import * as PodParent from "../../../src/kubernetes/template/PodParent.ts"
import * as PodTemplate from "../../../src/kubernetes/template/PodTemplate.ts"

const digest = `sha256:${"ab".repeat(32)}`
const uid = "8c1f8ef0-dc97-476b-a999-357ef0432582"

/** Fields of a container that this package does not know. */
const onlyTheParents: object = {
  livenessProbe: { httpGet: { port: 8080 } },
  lifecycle: { preStop: { sleep: { seconds: 5 } } }
}

/** A parent's pod as the API server returns it, defaults included. */
const parentPod = (
  container: Partial<Container> = {},
  pod: Partial<Pod["spec"]> = {},
  metadata: Pod["metadata"] = {}
): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "app-6c9f-x",
    namespace: "apps",
    uid,
    labels: { app: "web", "pod-template-hash": "6c9f" },
    annotations: { "prometheus.io/scrape": "true" },
    ...metadata
  },
  spec: {
    restartPolicy: "Always",
    nodeName: "node1",
    serviceAccountName: "app",
    terminationGracePeriodSeconds: 45,
    schedulerName: "default-scheduler",
    dnsPolicy: "ClusterFirst",
    imagePullSecrets: [{ name: "pull" }],
    nodeSelector: { disk: "ssd" },
    tolerations: [
      { key: "gpu", operator: "Exists" },
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
      { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }
    ],
    securityContext: { runAsUser: 65532, runAsNonRoot: true },
    volumes: [{ name: "data", emptyDir: {} }, { name: "kube-api-access-9gcxx" }],
    containers: [
      {
        name: "app",
        image: "registry.example:5000/team/app:1",
        imagePullPolicy: "Always",
        command: ["node"],
        args: ["main.js"],
        workingDir: "/app",
        env: [
          {
            name: "GREETING",
            value: "hello"
          },
          {
            name: "FLAME_MAX",
            value: "7"
          },
          {
            name: "MY_NODE",
            valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } }
          }
        ],
        envFrom: [{ configMapRef: { name: "settings" } }],
        ports: [{ containerPort: 8080 }],
        resources: {
          requests: {
            cpu: "250m",
            memory: "256Mi"
          },
          limits: {
            cpu: "500m",
            memory: "512Mi",
            "nvidia.com/gpu": "1"
          },
          claims: [{ name: "device" }]
        },
        securityContext: { readOnlyRootFilesystem: true },
        volumeMounts: [
          {
            name: "data",
            mountPath: "/data"
          },
          {
            name: "kube-api-access-9gcxx",
            mountPath: "/var/run/secrets/kubernetes.io/serviceaccount"
          }
        ],
        ...onlyTheParents,
        ...container
      }
    ],
    ...pod
  },
  status: {
    containerStatuses: [{ name: "app", imageID: `registry.example:5000/team/app@${digest}` }]
  }
})

const identity = ObjectNames.inCluster(uid, "app")

const runner: PodTemplate.PodRequest = {
  spec: {
    id: "pool-3f2a-0",
    pool: "effect-flame/Pool",
    life: "3f2a",
    bootTimeout: 120_000,
    drainTimeout: 30_000,
    cancelGrace: 2_500
  },
  dial: "10.244.0.2:9345",
  identity: "3f2a.0",
  key: { secret: "flame-8c1f8ef0-app-0-a", entry: "0" }
}

const template = (options: PodOptions = {}, pod: Pod | undefined = parentPod()): PodTemplate.PodTemplate => {
  const parent = PodParent.find(pod, options.container)
  assert.notInstanceOf(parent, InvalidSpec)
  const made = PodTemplate.make(options, parent, identity, 9345)
  assert.notInstanceOf(made, InvalidSpec, (made as InvalidSpec).message)
  return made
}

const podOf = (options?: PodOptions, pod?: Pod, of: Partial<PodTemplate.PodRequest> = {}): Pod =>
  PodTemplate.podOf(template(options, pod), { ...runner, ...of })

const containerOf = (options?: PodOptions, pod?: Pod, of?: Partial<PodTemplate.PodRequest>): Container => {
  const [container] = podOf(options, pod, of).spec.containers
  assert.isDefined(container)
  return container
}

const valueOf = (container: Container, name: string) => {
  const found = (container.env ?? []).filter((variable) => variable.name === name)
  assert.isAtMost(found.length, 1, `${name} is there more than once`)
  return found[0]?.value
}

const refused = (options: PodOptions, parent: PodParent.ParentPod | undefined): string => {
  const made = PodTemplate.make(options, parent, identity)
  assert.instanceOf(made, InvalidSpec)
  return made.message
}

const problemOf = (options: PodOptions): string => refused(options, PodParent.find(parentPod()) as PodParent.ParentPod)

describe("a runner's pod without options", () => {
  it("runs the parent's own container, without the fields that only concern the parent", () => {
    assert.deepStrictEqual(podOf(), {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: ObjectNames.podName(identity, runner.spec),
        namespace: "apps",
        labels: {
          "sidecar.istio.io/inject": "false",
          "app.kubernetes.io/managed-by": "effect-flame",
          "flame.dev/role": "runner",
          "flame.dev/pool": "effect-flame-Pool",
          "flame.dev/parent": `${uid}.app.0`
        },
        annotations: {
          "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
          "karpenter.sh/do-not-disrupt": "true",
          "sidecar.istio.io/inject": "false",
          "linkerd.io/inject": "disabled",
          "flame.dev/life": "3f2a",
          "flame.dev/runner": "pool-3f2a-0"
        },
        ownerReferences: [
          { apiVersion: "v1", kind: "Pod", name: "app-6c9f-x", uid, controller: true, blockOwnerDeletion: false }
        ]
      },
      spec: {
        restartPolicy: "Never",
        terminationGracePeriodSeconds: 38,
        enableServiceLinks: false,
        automountServiceAccountToken: false,
        schedulerName: "default-scheduler",
        dnsPolicy: "ClusterFirst",
        imagePullSecrets: [{ name: "pull" }],
        nodeSelector: { disk: "ssd" },
        tolerations: [
          { key: "gpu", operator: "Exists" },
          { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 30 },
          { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 30 }
        ],
        securityContext: { runAsUser: 65532, runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name: "runner",
            image: `registry.example:5000/team/app@${digest}`,
            imagePullPolicy: "IfNotPresent",
            command: ["node"],
            args: ["main.js"],
            workingDir: "/app",
            env: [
              { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
              { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
              { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
              { name: "GREETING", value: "hello" },
              { name: "FLAME_MAX", value: "7" },
              { name: "MY_NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
              { name: "FLAME_RUNNER_ID", value: "pool-3f2a-0" },
              { name: "FLAME_RUNNER_POOL", value: "effect-flame/Pool" },
              { name: "FLAME_RUNNER_LIFE", value: "3f2a" },
              { name: "FLAME_RUNNER_PARENT", value: "network" },
              { name: "FLAME_RUNNER_BOOT_TIMEOUT", value: "120000" },
              { name: "FLAME_RUNNER_DRAIN_TIMEOUT", value: "30000" },
              { name: "FLAME_RUNNER_CANCEL_GRACE", value: "2500" },
              { name: "FLAME_RUNNER_IDENTITY", value: "3f2a.0" },
              { name: "FLAME_RUNNER_ADDRESS", value: "10.244.0.2:9345" },
              {
                name: "FLAME_RUNNER_KEY",
                valueFrom: { secretKeyRef: { name: "flame-8c1f8ef0-app-0-a", key: "0" } }
              }
            ],
            envFrom: [{ configMapRef: { name: "settings" } }],
            resources: {
              requests: { cpu: "250m", memory: "256Mi" },
              limits: { memory: "512Mi", "nvidia.com/gpu": "1" }
            },
            securityContext: {
              readOnlyRootFilesystem: true,
              allowPrivilegeEscalation: false,
              capabilities: { drop: ["ALL"] }
            },
            terminationMessagePolicy: "FallbackToLogsOnError"
          }
        ]
      }
    })
    assert.deepStrictEqual(template().leftOut, [
      "volume data at /data (list it in `volumes`)",
      "the CPU limit of 500m, with which boots are slow (set `resources`)",
      "the claim of device device (set `resources`)"
    ])
  })

  it("has the options of a pool called Runner, but not the role of a parent that is itself a runner", () => {
    const container = containerOf(
      {},
      parentPod({
        env: ["ID", "KEY", "LISTEN", "REPORT", "MAX"].map((name) => ({
          name: `FLAME_RUNNER_${name}`,
          value: "of the parent"
        }))
      })
    )
    assert.deepStrictEqual(
      ["ID", "KEY", "LISTEN", "REPORT", "MAX"].map((name) => valueOf(container, `FLAME_RUNNER_${name}`)),
      ["pool-3f2a-0", undefined, undefined, undefined, "of the parent"]
    )
  })
})

describe("a runner's pod made from its parent's pod", () => {
  const agent = (env: Container["env"]): Pod =>
    parentPod({ env, volumeMounts: [{ name: "data", mountPath: "/opt/agent/" }] } as Partial<Container>)

  it("has no variables that name a file in a volume it lacks, and they are reported", () => {
    const pod = agent([
      { name: "NODE_OPTIONS", value: "--require=/opt/agent/a.js --enable-source-maps" },
      { name: "MADE_OF_IT", value: "$(NODE_OPTIONS) --no-warnings" },
      { name: "ANOTHER", value: "/opt/agents" }
    ])
    assert.deepStrictEqual(
      containerOf({}, pod).env?.filter(({ name }) => !/^(POD|FLAME)_/.test(name)),
      [{ name: "ANOTHER", value: "/opt/agents" }]
    )
    const variables = (options: PodOptions) =>
      template(options, pod).leftOut.filter((entry) => entry.startsWith("the variable"))
    assert.deepStrictEqual(variables({}), [
      "the variable NODE_OPTIONS: it names /opt/agent/ of volume data, which runners lack; or list that volume in `volumes` (set it in `env`)",
      "the variable MADE_OF_IT: it is made of NODE_OPTIONS, which runners lack (set it in `env`)"
    ])
    assert.deepStrictEqual(variables({ env: { NODE_OPTIONS: "", MADE_OF_IT: undefined } }), [])
  })

  it("has such variables, and the volume, if the options list the volume", () => {
    const pod = agent([{ name: "NODE_OPTIONS", value: "--require=/opt/agent/a.js" }])
    const made = podOf({ volumes: ["data"] }, pod)
    assert.deepStrictEqual(made.spec.volumes, [{ name: "data", emptyDir: {} }])
    assert.deepStrictEqual(made.spec.containers[0]?.volumeMounts, [{ name: "data", mountPath: "/opt/agent/" }])
    assert.strictEqual(valueOf(made.spec.containers[0] as Container, "NODE_OPTIONS"), "--require=/opt/agent/a.js")
    assert.match(problemOf({ volumes: ["date"] }), /no volume date: correct `volumes`/)
  })

  it("causes a warning if the program's code lies in a volume", () => {
    const pod = parentPod({ volumeMounts: [{ name: "data", mountPath: "/app" }] })
    const code = (options: PodOptions) => template(options, pod).leftOut.filter((entry) => entry.includes("the code"))
    assert.deepStrictEqual(code({}), [
      "the code that the command names at /app of volume data (list it in `volumes`, or set `command`)"
    ])
    assert.deepStrictEqual(code({ command: ["node", "/srv/x.js"] }), [])
  })

  it("has neither the parent's anti-affinity nor a DaemonSet's node affinity", () => {
    const term = { matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] }
    const fields = { matchFields: [{ key: "metadata.name", operator: "In", values: ["node1"] }] }
    const affinity = (...nodeSelectorTerms: ReadonlyArray<object>) => ({
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [] },
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } }
    })
    const made = (...terms: ReadonlyArray<object>) =>
      podOf({}, parentPod({}, { affinity: affinity(...terms) as Pod["metadata"] & {} } as Partial<Pod["spec"]>)).spec
        .affinity
    assert.deepStrictEqual(made({ ...term, ...fields }), {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } }
    })
    assert.isUndefined(made(fields))
  })

  it("has the parent's own tolerations of lost nodes, if there are any", () => {
    const own = { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 }
    assert.deepStrictEqual(podOf({}, parentPod({}, { tolerations: [own] })).spec.tolerations, [
      own,
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 30 }
    ])
    assert.deepStrictEqual(podOf({}, parentPod({}, { tolerations: [{ operator: "Exists" }] })).spec.tolerations, [
      { operator: "Exists" }
    ])
  })

  it("has no security setting that contradicts a privileged parent, because the API server would refuse the pod", () => {
    assert.deepStrictEqual(containerOf({}, parentPod({ securityContext: { privileged: true } })).securityContext, {
      privileged: true
    })
  })

  it("refers to its own container where a variable refers to the parent's container by name", () => {
    const limit = (containerName: string) => ({
      name: `LIMIT_${containerName}`,
      valueFrom: { resourceFieldRef: { containerName, resource: "limits.memory", divisor: "0" } }
    })
    const pod = parentPod({ env: [limit("app"), limit("proxy")] })
    const env = containerOf({}, pod).env?.filter(({ name }) => name.startsWith("LIMIT"))
    assert.deepStrictEqual(env, [
      { name: "LIMIT_app", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "0" } } }
    ])
    assert.match(template({}, pod).leftOut.join(), /LIMIT_proxy: it describes the container proxy, which runners lack/)
  })
})

describe("the image of a runner", () => {
  const imageOf = (image: string, imageID: string) => {
    const pod = parentPod({ image })
    return containerOf({}, { ...pod, status: { containerStatuses: [{ name: "app", imageID }] } }).image
  }

  it("is pinned if it was pulled by a registry's digest, and not if it was loaded into the node", () => {
    assert.deepStrictEqual(
      [
        imageOf("node:24", `docker.io/library/node@${digest}`),
        imageOf("node:24", `docker-pullable://node@${digest}`),
        imageOf("team/app", `docker.io/team/app@${digest}`),
        imageOf("localhost/node:24", digest),
        imageOf("app:1", `docker.io/library/import-2026-11-22@${digest}`),
        imageOf(`node:24@${digest}`, "")
      ],
      [`node@${digest}`, `node@${digest}`, `team/app@${digest}`, "localhost/node:24", "app:1", `node:24@${digest}`]
    )
  })
})

describe("options of a runner's pod", () => {
  it("replace inherited fields, one by one", () => {
    const { container, spec } = (() => {
      const made = podOf({
        image: "other:2",
        command: ["deno"],
        env: { GREETING: "hi", FLAME_MAX: undefined, MORE: "1" },
        resources: { limits: { cpu: "2" } },
        securityContext: { readOnlyRootFilesystem: false },
        podSecurityContext: {},
        nodeSelector: {},
        tolerations: [],
        affinity: {},
        priorityClassName: "low",
        serviceAccountName: "powerless",
        imagePullSecrets: []
      })
      return { spec: made.spec, container: made.spec.containers[0] as Container }
    })()
    assert.deepStrictEqual(
      [container.image, container.imagePullPolicy, container.command, container.args, container.resources],
      ["other:2", undefined, ["deno"], undefined, { limits: { cpu: "2" } }]
    )
    assert.deepStrictEqual(
      ["GREETING", "FLAME_MAX", "MORE"].map((name) => valueOf(container, name)),
      ["hi", undefined, "1"]
    )
    assert.strictEqual(container.securityContext?.["readOnlyRootFilesystem"], false)
    assert.deepStrictEqual(
      [spec.securityContext, spec.nodeSelector, spec.affinity, spec.priorityClassName, spec.serviceAccountName],
      [{ seccompProfile: { type: "RuntimeDefault" } }, {}, {}, "low", "powerless"]
    )
    assert.deepStrictEqual(spec.imagePullSecrets, [])
    assert.strictEqual(spec.tolerations?.length, 2)
  })

  it("override the manifest, which overrides inherited fields; the fields that make a runner override all", () => {
    const variables = ["A", "B", "POD_IP", "FLAME_RUNNER_ID"]
    const env = (value: string, names = variables) => names.map((name) => ({ name, value }))
    const container = containerOf(
      {
        manifest: {
          metadata: { name: "mine", namespace: "other" },
          spec: {
            restartPolicy: "Always",
            containers: [{ name: "mine", env: env("manifest", variables.slice(1)), workingDir: "/m", image: "m:1" }]
          }
        },
        image: "o:1",
        env: { POD_IP: "option" }
      },
      parentPod({ env: env("parent") })
    )
    assert.deepStrictEqual(
      variables.map((name) => valueOf(container, name)),
      ["parent", "manifest", undefined, "pool-3f2a-0"]
    )
    assert.deepStrictEqual([container.name, container.workingDir, container.image], ["runner", "/m", "o:1"])
  })

  it("do not let a manifest rename or restart the pod; a manifest may add containers and volumes", () => {
    const made = podOf({
      manifest: {
        metadata: { name: "mine", namespace: "other", annotations: { a: "1" }, labels: { team: "x" } },
        spec: {
          restartPolicy: "Always",
          activeDeadlineSeconds: 60,
          volumes: [{ name: "own", emptyDir: {} }],
          containers: [
            { name: "beside", image: "b:1" },
            { name: "runner", volumeMounts: [{ name: "own", mountPath: "/own" }] }
          ]
        }
      },
      volumes: ["data"]
    })
    assert.deepStrictEqual(
      [made.metadata.name, made.metadata.namespace],
      [ObjectNames.podName(identity, runner.spec), "apps"]
    )
    assert.deepStrictEqual([made.spec.restartPolicy, made.spec.activeDeadlineSeconds], ["Never", 60])
    assert.strictEqual(made.metadata.annotations?.["a"], "1")
    assert.strictEqual(made.metadata.labels?.["team"], "x")
    assert.deepStrictEqual(
      made.spec.containers.map(({ name }) => name),
      ["runner", "beside"]
    )
    assert.deepStrictEqual(
      made.spec.volumes?.map(({ name }) => name),
      ["data", "own"]
    )
    assert.deepStrictEqual(
      made.spec.containers[0]?.volumeMounts?.map(({ name }) => name),
      ["data", "own"]
    )
  })

  it("may be a function of the parent's pod and container, which cannot change these", () => {
    const pod = parentPod()
    const container = containerOf(
      {
        manifest: (parent, container) => {
          const copy = { ...container, workingDir: `/${parent.metadata?.name}` }
          Reflect.deleteProperty(container, "env")
          return { spec: { containers: [copy] } }
        }
      },
      pod
    )
    assert.strictEqual(container.workingDir, "/app-6c9f-x")
    assert.strictEqual(valueOf(container, "GREETING"), "hello")
    assert.deepStrictEqual(pod, parentPod())
  })

  it("name the container of the program, which is never a mesh's proxy", () => {
    const pod = parentPod()
    const two = {
      ...pod,
      spec: { ...pod.spec, containers: [{ name: "istio-proxy" }, ...pod.spec.containers, { name: "b", image: "b:1" }] }
    }
    assert.match(containerOf({ container: "app" }, two).image ?? "", /team\/app/)
    assert.strictEqual(containerOf({ container: "b" }, two).image, "b:1")
    const missing = PodParent.find(two, "c")
    assert.instanceOf(missing, InvalidSpec)
    assert.match(missing.message, /no container c: set `container` to one of istio-proxy, app, b/)
  })

  it("put secret variables into the Secret, where they override all others", () => {
    const options = { secretEnv: { GREETING: Redacted.make("hush") } }
    const container = containerOf(options, undefined, { secretEnv: "flame-x-a" })
    assert.deepStrictEqual(
      container.env?.filter(({ name }) => name === "GREETING"),
      [{ name: "GREETING", valueFrom: { secretKeyRef: { name: "flame-x-a", key: "env-GREETING" } } }]
    )
    assert.notInclude(JSON.stringify(template(options)), "hush")
  })
})

describe("labels of a runner's pod", () => {
  it("[C93] must not equal a label of the parent, which is refused by name", () => {
    assert.match(problemOf({ labels: { app: "web" } }), /must not have the label app: web, .*take it out of `labels`/)
    assert.match(
      problemOf({ manifest: (parent) => ({ metadata: { labels: parent.metadata?.labels ?? {} } }) }),
      /label app: web/
    )
    assert.strictEqual(podOf({ labels: { app: "web-runner" } }).metadata.labels?.["app"], "web-runner")
  })

  it("must not be the library's own", () => {
    assert.match(problemOf({ labels: { "flame.dev/parent": "x" } }), /label flame.dev\/parent of runners is set by/)
  })

  it("do not include labels of the parent", () => {
    const labels = podOf().metadata.labels ?? {}
    for (const [name, value] of Object.entries(parentPod().metadata.labels ?? {}))
      assert.notStrictEqual(labels[name], value)
  })

  it("select the runners of one parent", () => {
    assert.strictEqual(PodLabels.selector(identity), `flame.dev/role=runner,flame.dev/parent=${uid}.app.0`)
  })
})

describe("the lifetime of a runner's pod", () => {
  it("has a deadline only if no owner collects the pod", () => {
    const owned = podOf()
    assert.isUndefined(owned.spec.activeDeadlineSeconds)
    const free = podOf({ ownerReference: false })
    assert.isUndefined(free.metadata.ownerReferences)
    assert.strictEqual(free.spec.activeDeadlineSeconds, 6 * 3600)
    const limited = podOf({ ownerReference: false }, undefined, { spec: { ...runner.spec, maxLifetime: 60_000 } })
    assert.strictEqual(limited.spec.activeDeadlineSeconds, 60 + 33)
  })

  it("does not keep a node from being scaled down for an idle runner", () => {
    const { annotations } = podOf({}, undefined, { spec: { ...runner.spec, isKept: true } }).metadata
    assert.notProperty(annotations, "cluster-autoscaler.kubernetes.io/safe-to-evict")
    assert.notProperty(annotations, "karpenter.sh/do-not-disrupt")
  })
})

describe("a runner's pod of a parent outside the cluster", () => {
  it("needs an image, and the error says how to give one", () => {
    assert.match(refused({}, undefined), /set `image`/)
  })

  it('listens if its parent dials through the API server, and has its key in the pod with `key: "env"`', () => {
    const made = PodTemplate.make({ image: "app:1" }, undefined, ObjectNames.external("h", "u", "e"))
    assert.notInstanceOf(made, InvalidSpec)
    const pod = PodTemplate.podOf(made, {
      ...runner,
      dial: { listen: 9345 },
      key: Redacted.make("k")
    })
    const container = pod.spec.containers[0] as Container
    assert.deepStrictEqual(
      ["LISTEN", "ADDRESS", "KEY"].map((name) => valueOf(container, `FLAME_RUNNER_${name}`)),
      ["9345", undefined, "k"]
    )
    assert.strictEqual(pod.spec.activeDeadlineSeconds, 6 * 3600)
    assert.isUndefined(pod.metadata.ownerReferences)
  })
})

describe("a CPU limit of a runner's pod", () => {
  it("is set as high as the parent's if a quota demands one", () => {
    assert.strictEqual(containerOf({}, undefined, { needsCpuLimit: true }).resources?.limits?.["cpu"], "500m")
    assert.strictEqual(
      containerOf({}, parentPod({ resources: {} }), { needsCpuLimit: true }).resources?.limits?.["cpu"],
      "1"
    )
  })
})
