/**
 * Lists the parts of the parent's specification that runners do not get, for one warning.
 *
 * A field that this module does not know is listed too, because a later version of Kubernetes may have added it.
 */
import type { Container, Pod, PodSpec } from "../object/KubeObjects.ts"
import { cpuLimitOf } from "./PodDownward.ts"
import type { ParentPod } from "./PodParent.ts"

/** Fields of a pod that are inherited, or do not concern a runner, or have rules of their own below. */
const knownOfPod: ReadonlySet<string> = new Set(
  (
    "affinity activeDeadlineSeconds automountServiceAccountToken containers dnsConfig dnsPolicy enableServiceLinks " +
    "ephemeralContainers hostAliases hostUsers imagePullSecrets initContainers nodeName nodeSelector os overhead " +
    "preemptionPolicy priority priorityClassName readinessGates resources restartPolicy runtimeClassName schedulerName " +
    "schedulingGates securityContext serviceAccount serviceAccountName terminationGracePeriodSeconds tolerations volumes"
  ).split(" ")
)

/** The same for the fields of a container. */
const knownOfContainer: ReadonlySet<string> = new Set(
  (
    "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy " +
    "resources restartPolicy securityContext startupProbe stdin stdinOnce terminationMessagePath " +
    "terminationMessagePolicy tty volumeMounts workingDir"
  ).split(" ")
)

/** Where a token of the service account is mounted, which runners must not have. */
const accounts = "/var/run/secrets/kubernetes.io/serviceaccount"

/** Containers that a mesh or a cloud injects into every pod by itself. */
const isInjected = ({ name }: Container): boolean => /^(istio|linkerd)-/.test(name)

/** The runner's own manifest and options. A field that they set is not missing. */
export interface Said {
  readonly spec: Partial<PodSpec>
  readonly container: Partial<Container>
}

/** An entry for each part of the parent's specification that a runner does not get. */
export const of = (
  { container, pod }: ParentPod,
  hasVolume: (name: string) => boolean,
  said: Said
): ReadonlyArray<string> => [
  ...volumesOf(container, hasVolume, said.container),
  ...containersOf(pod, container, said.spec),
  ...(said.container.resources === undefined ? resourcesOf(container, pod) : []),
  ...fieldsOf(pod.spec, knownOfPod, said.spec),
  ...fieldsOf(container, knownOfContainer, said.container),
  ...affinityOf(pod, said.spec),
  ...hooksOf(container, said.container)
]

const volumesOf = (
  { volumeMounts = [] }: Container,
  hasVolume: (name: string) => boolean,
  said: Partial<Container>
): ReadonlyArray<string> =>
  volumeMounts
    .filter(
      ({ mountPath, name }) =>
        !hasVolume(name) &&
        mountPath !== accounts &&
        !(said.volumeMounts ?? []).some((mount) => mount.mountPath === mountPath)
    )
    .map(({ mountPath, name }) => `volume ${name} at ${mountPath} (list it in \`volumes\`)`)

const containersOf = (pod: Pod, own: Container, said: Partial<PodSpec>): ReadonlyArray<string> => [
  ...(said.initContainers === undefined ? (pod.spec.initContainers ?? []) : [])
    .filter((container) => !isInjected(container))
    .map(({ name }) => `init container ${name}`),
  ...pod.spec.containers
    .filter((container) => container.name !== own.name && !isInjected(container))
    .map(({ name }) => `container ${name}`)
]

const resourcesOf = (container: Container, pod: Pod): ReadonlyArray<string> => {
  const limit = cpuLimitOf(container, pod)
  const claims = container.resources?.claims ?? []
  return [
    ...(limit === undefined ? [] : [`the CPU limit of ${limit}, with which boots are slow (set \`resources\`)`]),
    ...claims.map(({ name }) => `the claim of device ${typeof name === "string" ? name : "?"} (set \`resources\`)`)
  ]
}

/** A hook at the start may prepare what the program needs. */
const hooksOf = (container: Container, said: Partial<Container>): ReadonlyArray<string> =>
  container.lifecycle?.["postStart"] === undefined || said.lifecycle !== undefined
    ? []
    : ["the hook lifecycle.postStart"]

/** Fields that are set and not empty. */
const fieldsOf = (fields: object, known: ReadonlySet<string>, said: object): ReadonlyArray<string> =>
  Object.entries(fields)
    .filter(
      ([name, value]) =>
        !known.has(name) &&
        !(name in said) &&
        value !== undefined &&
        value !== null &&
        value !== false &&
        !(Array.isArray(value) && value.length === 0)
    )
    .map(([name]) => name)

const affinityOf = ({ spec }: Pod, said: Partial<PodSpec>): ReadonlyArray<string> =>
  said.affinity !== undefined
    ? []
    : ["podAffinity", "podAntiAffinity"].filter((kind) => spec.affinity?.[kind] !== undefined)

/** The text of the warning. */
export const warningOf = (list: ReadonlyArray<string>): string =>
  `runners go without these parts of this pod's specification (set \`manifest\` for what has no option of its own):\n${list
    .map((entry) => `  - ${entry}`)
    .join("\n")}`
