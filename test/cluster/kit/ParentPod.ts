/** A parent in the cluster: a pod, or a pod template, that runs the test app. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { inject } from "vitest"
import type { KubeObject } from "./Api.ts"
import { create, pod, remove } from "./Cluster.ts"
import * as Control from "./Control.ts"
import { mark } from "./Leaks.ts"
import { account, type Rights } from "./Namespaces.ts"

/** Options of a parent. All durations are in seconds. */
export interface ParentOptions {
  readonly rights?: Rights
  readonly image?: string
  /** Options of its pool, as JSON. */
  readonly flame?: Readonly<Record<string, unknown>>
  /** Options of its runner pods. */
  readonly kubernetes?: Readonly<Record<string, unknown>>
  /** The address where functions find their test. */
  readonly stage?: string
  readonly env?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly grace?: number
  readonly memory?: string
  readonly node?: string
  readonly restartPolicy?: "Always" | "Never" | "OnFailure"
  /**
   * Whether the pod's name and address are in the environment, as the README shows. Otherwise the parent reads its
   * token. Default true.
   */
  readonly downward?: boolean
  /** Changes the pod's spec last. */
  readonly bend?: (spec: KubeObject) => KubeObject
}

const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } })

const quick = { max: 2, cancelGrace: "1 second", drainTimeout: "5 seconds" }

/** The pod, or the pod template of a Deployment. */
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

/** A running parent. */
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
  // The pod's address is reported a moment after the start.
  return state?.running !== undefined && pod.status?.podIP !== undefined && pod
}

/** Starts a parent. The end of the Scope deletes its pod, so the parent gets SIGTERM. */
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
