/**
 * Tests how the API server treats pods that are made for runners: in a restricted namespace, beside the controllers of
 * their parent, and field by field. No runner starts here.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { InvalidSpec } from "../../src/error/BootFailure.ts"
import type { Container, Pod } from "../../src/kubernetes/object/KubeObjects.ts"
import * as ObjectNames from "../../src/kubernetes/object/ObjectNames.ts"
import type { PodOptions } from "../../src/kubernetes/template/PodOptions.ts"
import * as PodParent from "../../src/kubernetes/template/PodParent.ts"
import * as PodTemplate from "../../src/kubernetes/template/PodTemplate.ts"
import { type KubeObject, request } from "./kit/Api.ts"
import { collection, create } from "./kit/Cluster.ts"
import * as Namespaces from "./kit/Namespaces.ts"

const space = Namespaces.ofFile("template", { "pod-security.kubernetes.io/enforce": "restricted" })

/** A parent with exactly the fields that a restricted namespace requires. */
const parent = (): KubeObject => ({
  metadata: { name: "parent", labels: { app: "web", team: "x" } },
  spec: {
    // This pod never starts. Only the API server's answer matters.
    schedulingGates: [{ name: "effect-flame.test/never" }],
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", labelSelector: {} }
    ],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/os", operator: "In", values: ["linux"] }] }]
        }
      },
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: { app: "web" } }, topologyKey: "kubernetes.io/hostname" }
        ]
      }
    },
    volumes: [{ name: "scratch", emptyDir: {} }],
    dnsConfig: { options: [{ name: "ndots", value: "2" }] },
    hostAliases: [{ ip: "10.1.2.3", hostnames: ["db"] }],
    containers: [
      {
        name: "app",
        image: "localhost/node:24",
        command: ["node"],
        args: ["-e", "0"],
        workingDir: "/app",
        ports: [{ containerPort: 9345 }],
        readinessProbe: { tcpSocket: { port: 9345 } },
        env: [
          { name: "LIMIT", valueFrom: { resourceFieldRef: { containerName: "app", resource: "limits.memory" } } },
          { name: "SCRATCH", value: "/scratch/x" },
          { name: "EMPTY", value: "" },
          { name: "WHERE", value: "$(POD_IP)" },
          { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }
        ],
        envFrom: [{ secretRef: { name: "settings", optional: true }, prefix: "S_" }],
        resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { cpu: "200m", memory: "128Mi" } },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        volumeMounts: [{ name: "scratch", mountPath: "/scratch" }]
      }
    ]
  }
})

/** The template of a parent's runners, as a backend in that parent's pod would make it. */
const templateOf = (pod: Pod, options: PodOptions = {}): PodTemplate.PodTemplate => {
  const found = PodParent.find(pod)
  if (found instanceof InvalidSpec) return assert.fail(found.message)
  const made = PodTemplate.make(
    options,
    found,
    ObjectNames.inCluster(pod.metadata.uid ?? "", found.container.name),
    9345
  )
  return made instanceof InvalidSpec ? assert.fail(made.message) : made
}

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
  key: { secret: "flame-x-a", entry: "0" },
  secretEnv: "flame-x-a"
}

/** The pod that the API server would store, or its refusal. Unknown fields are refused. */
const tried = (
  template: PodTemplate.PodTemplate,
  over: Partial<PodTemplate.PodRequest> = {}
): Effect.Effect<Pod, Error> => {
  const path = `${collection(space.name, "pods")}?dryRun=All&fieldValidation=Strict`
  return request("POST", path, PodTemplate.podOf(template, { ...runner, ...over }))
}

describe("the pod of a runner", () => {
  it.live("is admitted and not changed in a restricted namespace, as a copy of an admitted parent", () =>
    Effect.gen(function* () {
      const pod: Pod = yield* create(space.name, "pods", parent())
      const template = templateOf(pod, {
        volumes: ["scratch"],
        secretEnv: { TOKEN: Redacted.make("x") },
        labels: { team: "y" }
      })
      const sent = PodTemplate.podOf(template, runner)
      const made = yield* tried(template)
      const [sentContainer] = sent.spec.containers
      const [madeContainer] = made.spec.containers
      const names = (env: Container["env"] = []) => env.map(({ name, value }) => [name, value])
      assert.deepStrictEqual(names(madeContainer?.env), names(sentContainer?.env))
      assert.deepStrictEqual(madeContainer?.resources, sentContainer?.resources)
      assert.deepStrictEqual(madeContainer?.volumeMounts, sentContainer?.volumeMounts)
      assert.deepStrictEqual(made.spec.volumes, sent.spec.volumes)
      assert.deepStrictEqual(made.spec.tolerations, sent.spec.tolerations)
      assert.deepStrictEqual(made.spec.affinity, sent.spec.affinity)
      assert.deepStrictEqual(made.metadata.ownerReferences, sent.metadata.ownerReferences)
    })
  )

  it.live("is admitted there too, from a parent that sets no security field but its user", () =>
    Effect.gen(function* () {
      const plain: Pod = {
        metadata: { name: "elsewhere", namespace: space.name, uid: "8c1f8ef0-dc97-476b-a999-357ef0432582" },
        spec: {
          securityContext: { runAsNonRoot: true, runAsUser: 65532 },
          containers: [{ name: "app", image: "localhost/node:24" }]
        }
      }
      const made = yield* tried(templateOf(plain), { dial: { listen: 9345 }, key: Redacted.make("secret") })
      assert.deepStrictEqual(made.spec.securityContext, {
        runAsNonRoot: true,
        runAsUser: 65532,
        seccompProfile: { type: "RuntimeDefault" }
      })
    })
  )

  it.live("can be made without a parent's pod, from outside the cluster", () =>
    Effect.gen(function* () {
      const made = PodTemplate.make(
        { image: "localhost/node:24", podSecurityContext: { runAsNonRoot: true, runAsUser: 65532 } },
        undefined,
        ObjectNames.external("host", "user", "main.js")
      )
      if (made instanceof InvalidSpec) return assert.fail(made.message)
      const pod = yield* tried(made)
      assert.strictEqual(pod.metadata.namespace, space.name)
      assert.strictEqual(pod.spec.activeDeadlineSeconds, 6 * 3600)
    })
  )

  it.live("has every option, and the container of a manifest beside its own", () =>
    Effect.gen(function* () {
      const pod: Pod = yield* create(space.name, "pods", { ...parent(), metadata: { name: "another" } })
      const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } }
      const template = templateOf(pod, {
        image: "localhost/node:24",
        command: ["node"],
        args: ["main.js"],
        env: { LIMIT: undefined, MORE: "1" },
        annotations: { "example.com/a": "1" },
        resources: { limits: { memory: "256Mi" } },
        nodeSelector: { "kubernetes.io/os": "linux" },
        tolerations: [{ key: "spot", operator: "Exists" }],
        affinity: {},
        serviceAccountName: "runner",
        imagePullSecrets: ["pull"],
        ownerReference: false,
        manifest: {
          spec: {
            volumes: [{ name: "own", emptyDir: {} }],
            containers: [
              { name: "runner", volumeMounts: [{ name: "own", mountPath: "/own" }] },
              { name: "beside", image: "localhost/node:24", securityContext: restricted }
            ]
          }
        }
      })
      const made = yield* tried(template, { needsCpuLimit: true })
      assert.deepStrictEqual(
        made.spec.containers.map(({ name }) => name),
        ["runner", "beside"]
      )
      // The API server adds the memory request, from the limit.
      assert.deepStrictEqual(made.spec.containers[0]?.resources, {
        limits: { cpu: "200m", memory: "256Mi" },
        requests: { cpu: "200m", memory: "256Mi" }
      })
    })
  )
})
