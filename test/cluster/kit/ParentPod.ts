/** A parent in the cluster: a pod, or the template of one, that runs the test app. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { inject } from "vitest"
import type { KubeObject } from "./Api.ts"
import { create, pod, remove } from "./Cluster.ts"
import * as Control from "./Control.ts"
import { mark } from "./Leaks.ts"
import { account, type Rights } from "./Namespaces.ts"

/** How a parent is to be. All durations in seconds. */
export interface ParentOptions {
  readonly rights?: Rights
  readonly image?: string
  /** Options of its pool, as JSON can hold them. */
  readonly flame?: Readonly<Record<string, unknown>>
  /** Those of its pods. */
  readonly kubernetes?: Readonly<Record<string, unknown>>
  /** Where the functions find their test. */
  readonly stage?: string
  readonly env?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly grace?: number
  readonly memory?: string
  readonly node?: string
  readonly restartPolicy?: "Always" | "Never" | "OnFailure"
  /** Whether its identity is in its environment, as the README has it; else it reads its token. Default true. */
  readonly downward?: boolean
  /** Changes the pod's spec at last. */
  readonly bend?: (spec: KubeObject) => KubeObject
}

const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } })

const quick = { max: 2, cancelGrace: "1 second", drainTimeout: "5 seconds" }

/** The pod, or what a Deployment makes pods of. */
export const template = (namespace: string, options: ParentOptions = {}): KubeObject => {
  const env = {
    [mark]: namespace,
    ...(options.stage === undefined ? {} : { CONFORMANCE_STAGE: options.stage }),
    ...options.env
  }
  const spec = {
    serviceAccountName: account(options.rights),
    restartPolicy: options.restartPolicy ?? "Never",
    terminationGracePeriodSeconds: options.grace ?? 20,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
    ...(options.node === undefined ? {} : { nodeSelector: { "kubernetes.io/hostname": options.node } }),
    containers: [
      {
        name: "app",
        image: options.image ?? inject("cluster").images.app,
        env: [
          ...(options.downward === false
            ? []
            : [
                field("POD_NAME", "metadata.name"),
                field("POD_NAMESPACE", "metadata.namespace"),
                field("POD_IP", "status.podIP")
              ]),
          ...Object.entries(env).map(([name, value]) => ({ name, value })),
          {
            name: "TEST_OPTIONS",
            value: JSON.stringify({ ...quick, ...options.flame, kubernetes: options.kubernetes ?? {} })
          }
        ],
        resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: options.memory ?? "256Mi" } },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        terminationMessagePolicy: "FallbackToLogsOnError"
      }
    ]
  }
  const { annotations = {} } = options
  return { metadata: { labels: { app: "parent", ...options.labels }, annotations }, spec: options.bend?.(spec) ?? spec }
}

/** A parent that runs. */
export interface ParentPod {
  readonly name: string
  readonly uid: string
  readonly ip: string
  readonly node: string
  readonly control: Control.Control
}

/** Waits until the pod of a parent listens to its test. */
export const attach = (namespace: string, name: string): Effect.Effect<ParentPod, never, Scope.Scope> =>
  Effect.gen(function* () {
    const found = yield* pod(namespace, name, isRunning, "the start")
    const ip = found.status.podIP as string
    const control = yield* Control.connect(ip)
    return { name, uid: found.metadata.uid as string, ip, node: found.spec.nodeName as string, control }
  })

const isRunning = (pod: KubeObject): KubeObject => {
  const state = pod.status?.containerStatuses?.[0]?.state
  // an address is told a moment after the start
  return state?.running !== undefined && pod.status?.podIP !== undefined && pod
}

/** Starts a parent; at the end of the Scope it is deleted, which tells it to go. */
export const start = (
  namespace: string,
  name: string,
  options: ParentOptions = {}
): Effect.Effect<ParentPod, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { metadata, spec } = template(namespace, options)
    yield* Effect.acquireRelease(create(namespace, "pods", { metadata: { ...metadata, name }, spec }), () =>
      remove(namespace, "pods", name)
    )
    return yield* attach(namespace, name)
  })
