/**
 * Pure: the objects that an app with pods as runners needs in its namespace.
 *
 * All names contain the name of the app, so that two apps in a namespace do not replace each other's objects. The
 * NetworkPolicy does not restrict other apps: it selects only the app's own parents, and opens only one port.
 */
import type { Fields } from "../../kubernetes/object/KubeObjects.ts"
import * as PodLabels from "../../kubernetes/object/PodLabels.ts"
import * as NeededRights from "../../kubernetes/verdict/NeededRights.ts"
import type { Described } from "./Yaml.ts"

export interface ManifestOptions {
  readonly app: string
  readonly namespace: string
  /** Without an image there is no Deployment. */
  readonly image?: string
  /** The command of the container. Default: the command of the image. */
  readonly command?: ReadonlyArray<string>
  readonly replicas: number
  /** The pool's `max`. Default: the equal share of `totalMax`, else the program's own. */
  readonly max?: number
  /** Seconds that calls in flight have when a parent ends. */
  readonly drainSeconds: number
  /** The port that runners dial. */
  readonly port: number
  readonly key: "secret" | "env"
  /** Whether a policy lets runners dial the port, in a namespace that denies by default. Default: no policy. */
  readonly networkPolicy?: boolean
  /** The greatest number of runners of all parents of this app together. Default: no such limit. */
  readonly totalMax?: number
  readonly cpu: string
  readonly memory: string
}

/** Seconds that a parent needs after its drain to end its runners. */
const reserve = 8

/**
 * The `max` of each parent. The parents of a Deployment share `totalMax` equally. The quota alone would leave all of it to
 * the first parent, until that parent has nothing to do.
 */
export const maxOf = ({ max, replicas, totalMax }: ManifestOptions): number | undefined =>
  max ?? (totalMax === undefined ? undefined : Math.max(1, Math.floor(totalMax / Math.max(1, replicas))))

/** The name of objects beside which an app may have its own, such as a Role. */
export const nameOf = (app: string): string => `flame-${app}`

/** The PriorityClass belongs to the whole cluster, so its name contains the namespace too. */
export const priorityClassOf = ({ app, namespace }: ManifestOptions): string => `flame-${namespace}-${app}`

const selectorOf = (app: string): Fields => ({ "app.kubernetes.io/name": app })

const metadata = (options: ManifestOptions, name: string): Fields => ({
  name,
  namespace: options.namespace,
  labels: selectorOf(options.app)
})

const account = (options: ManifestOptions): Described => ({
  about: ["The account of the parents. Runners have no account and no token."],
  object: { apiVersion: "v1", kind: "ServiceAccount", metadata: metadata(options, options.app) }
})

const role = (options: ManifestOptions): Described => {
  const needs = { key: options.key, secretEnv: false, portForward: false }
  const rules = [...NeededRights.required(needs), ...NeededRights.helping].map(({ group = "", resource, verbs }) => ({
    apiGroups: [group],
    resources: [resource],
    verbs
  }))
  return {
    about: [
      "The rights of the parents, in this namespace alone. Rights to events, pods/log and jobs only help: to explain",
      "failures, and to clean up after a parent that is killed."
    ],
    object: {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: metadata(options, nameOf(options.app)),
      rules
    }
  }
}

const binding = (options: ManifestOptions): Described => ({
  about: [],
  object: {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: metadata(options, nameOf(options.app)),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: nameOf(options.app) },
    subjects: [{ kind: "ServiceAccount", name: options.app, namespace: options.namespace }]
  }
})

/**
 * Opens one port of the parents, for runners alone. Policies add up, so the policy opens no other port: an open port here
 * would undo a policy of the namespace that denies it.
 *
 * Runners carry no label of their app, so that the policy admits all runners of the namespace. A runner of another app has
 * no key of this one, and the parent closes its connection.
 */
const policies = (options: ManifestOptions): ReadonlyArray<Described> =>
  options.networkPolicy === true
    ? [
        {
          about: [
            `Runners may dial port ${options.port} of the parents. For a namespace that denies traffic by default: without any other`,
            "policy for these pods, this one closes their other ports, and each port that others use needs a policy of its own."
          ],
          object: {
            apiVersion: "networking.k8s.io/v1",
            kind: "NetworkPolicy",
            metadata: metadata(options, `${nameOf(options.app)}-parents`),
            spec: {
              podSelector: { matchLabels: selectorOf(options.app) },
              policyTypes: ["Ingress"],
              ingress: [
                {
                  from: [{ podSelector: { matchLabels: { [PodLabels.role]: "runner" } } }],
                  ports: [{ protocol: "TCP", port: options.port }]
                }
              ]
            }
          }
        }
      ]
    : []

const limits = (options: ManifestOptions, totalMax: number): ReadonlyArray<Described> => [
  {
    about: [
      "The class of this app's runners, for the quota below. Runners get it by an option of their pool's layer:",
      `  FlameLayer.auto({ kubernetes: { priorityClassName: "${priorityClassOf(options)}" } })`
    ],
    object: {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name: priorityClassOf(options), labels: selectorOf(options.app) },
      value: 0,
      preemptionPolicy: "Never",
      description: `Runners of ${options.app} in namespace ${options.namespace}`
    }
  },
  {
    about: [`At most ${totalMax} runners of all parents together. A boot beyond it waits, and says so.`],
    object: {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: metadata(options, `${nameOf(options.app)}-runners`),
      spec: {
        hard: { pods: String(totalMax) },
        scopeSelector: {
          matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: [priorityClassOf(options)] }]
        }
      }
    }
  }
]

const field = (name: string, path: string): Fields => ({ name, valueFrom: { fieldRef: { fieldPath: path } } })

const deployment = (options: ManifestOptions, image: string): Described => ({
  about: [
    `A parent has ${options.drainSeconds} s for calls in flight when it ends, and ${reserve} s more to end its runners.`,
    "Runners inherit image, command, environment, requests and limits; they would not inherit a CPU limit."
  ],
  object: {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(options, options.app),
    spec: {
      replicas: options.replicas,
      selector: { matchLabels: selectorOf(options.app) },
      template: {
        metadata: { labels: selectorOf(options.app) },
        spec: {
          serviceAccountName: options.app,
          terminationGracePeriodSeconds: options.drainSeconds + reserve,
          securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } },
          containers: [container(options, image)]
        }
      }
    }
  }
})

const container = (options: ManifestOptions, image: string): Fields => containerWith(options, image, maxOf(options))

const containerWith = (options: ManifestOptions, image: string, max: number | undefined): Fields => ({
  name: options.app,
  image,
  command: options.command,
  env: [
    // Runners dial the address. The other two name the pod that owns runners, if the token does not.
    field("POD_IP", "status.podIP"),
    field("POD_NAME", "metadata.name"),
    field("POD_NAMESPACE", "metadata.namespace"),
    ...(max === undefined ? [] : [{ name: "FLAME_MAX", value: String(max) }]),
    ...(options.drainSeconds === 30 ? [] : [{ name: "FLAME_DRAIN_TIMEOUT", value: `${options.drainSeconds} seconds` }])
  ],
  ports: [{ name: "flame", containerPort: options.port }],
  resources: { requests: { cpu: options.cpu, memory: options.memory }, limits: { memory: options.memory } },
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } }
})

/** The objects in the order in which they are applied. */
export const objects = (options: ManifestOptions): ReadonlyArray<Described> => [
  account(options),
  role(options),
  binding(options),
  ...policies(options),
  ...(options.totalMax === undefined ? [] : limits(options, options.totalMax)),
  ...(options.image === undefined ? [] : [deployment(options, options.image)])
]
