/** The parts of the parent's pod that runners inherit. */
import type { Container, Fields, Json, Pod, PodSpec } from "../object/KubeObjects.ts"
import type { ParentPod } from "./PodParent.ts"
import { statusOf } from "./PodParent.ts"
import * as PodEnv from "./PodEnv.ts"
import { pinned } from "./PodImage.ts"
import * as PodLeftOut from "./PodLeftOut.ts"
import type { PodOptions } from "./PodOptions.ts"

/** A manifest, as plain JSON. */
export interface Said {
  readonly metadata?: Pod["metadata"]
  readonly spec?: Partial<PodSpec>
}

/** The manifest and the single options. */
export interface Own {
  readonly manifest: Said
  readonly said: Partial<Container>
  readonly given: Partial<Container>
}

/** The inherited parts, and a list of the parts that runners do not get. */
export interface Inherited {
  readonly container: Partial<Container>
  readonly spec: Partial<PodSpec>
  readonly leftOut: ReadonlyArray<string>
}

/** The result for a parent outside of the cluster. */
export const nothingInherited: Inherited = { container: {}, spec: {}, leftOut: [] }

/** The inherited part of the runners' pods. */
export const inheritedOf = (options: PodOptions, parent: ParentPod, { given, manifest, said }: Own): Inherited => {
  const own = { ...said, ...given }
  const security = own.securityContext ?? parent.container.securityContext
  const scratch = security?.["readOnlyRootFilesystem"] === true ? scratchOf(parent) : undefined
  const isTaken = said.volumeMounts?.some(({ mountPath }) => mountPath.replace(/\/+$/, "") === "/tmp") === true
  const volumes = [
    ...new Set([
      ...(scratch === undefined || isTaken || options.volumes?.length === 0 ? [] : [scratch]),
      ...(options.volumes ?? [])
    ])
  ]
  const hasVolume = (name: string): boolean => volumes.includes(name)
  const resources = own.resources !== undefined
  const { container, leftOut } = containerOf(parent, {
    hasVolume,
    command: own.command !== undefined,
    resources,
    account: (options.serviceAccountName ?? manifest.spec?.serviceAccountName) !== undefined,
    replaced: new Set([
      ...(said.env ?? []).map(({ name }) => name),
      ...(given.env ?? []).map(({ name }) => name),
      ...Object.keys(options.secretEnv ?? {})
    ]),
    removed: new Set(Object.keys(options.env ?? {}).filter((name) => options.env?.[name] === undefined))
  })
  const saidSpec = { ...manifest.spec, ...(options.affinity === undefined ? {} : { affinity: {} }) }
  return {
    container,
    spec: specOf(parent, volumes, resources),
    leftOut: [...PodLeftOut.of(parent, hasVolume, { spec: saidSpec, container: own }), ...leftOut]
  }
}

/** Parts of the parent's container that the options and the manifest replace. */
interface Replaced extends PodEnv.Inheritor {
  readonly command: boolean
}

/** The parent's container as a runner's, and one entry for each variable or command that cannot be inherited. */
const containerOf = (
  parent: ParentPod,
  replaced: Replaced
): { readonly container: Partial<Container>; readonly leftOut: ReadonlyArray<string> } => {
  const { container } = parent
  const { env, leftOut } = PodEnv.inherited(parent, replaced)
  const image = container.image === undefined ? undefined : pinned(container.image, statusOf(parent)?.imageID)
  const mounts = (container.volumeMounts ?? []).filter(({ name }) => replaced.hasVolume(name))
  const inherited = {
    image,
    // The image of a digest never changes, so asking the registry at each boot is useless.
    imagePullPolicy:
      image?.includes("@") && container.imagePullPolicy === "Always" ? "IfNotPresent" : container.imagePullPolicy,
    command: container.command,
    args: container.args,
    workingDir: container.workingDir,
    env,
    envFrom: container.envFrom,
    resources: withoutCpuLimit(container.resources),
    securityContext: container.securityContext,
    volumeMounts: mounts.length === 0 ? undefined : mounts
  }
  return {
    container: defined(inherited),
    leftOut: [...leftOut, ...(replaced.command ? [] : codeInVolume(container, replaced.hasVolume))]
  }
}

/**
 * Requests, and limits of everything but CPU: with a CPU limit of 500m a boot takes two seconds longer. Device claims belong
 * to the parent alone, so runners do not inherit them.
 */
const withoutCpuLimit = (resources: Container["resources"]): Container["resources"] => {
  const { cpu: _, ...limits } = resources?.limits ?? {}
  return defined({
    requests: resources?.requests,
    limits: Object.keys(limits).length === 0 ? undefined : limits
  })
}

/** The `emptyDir` at `/tmp` that is the only writable folder of a parent with a read-only root. */
const scratchOf = ({ container, pod }: ParentPod): string | undefined => {
  const mount = container.volumeMounts?.find(({ mountPath }) => mountPath.replace(/\/+$/, "") === "/tmp")
  const volume = pod.spec.volumes?.find(({ name }) => name === mount?.name)
  return volume?.["emptyDir"] === undefined || volume["emptyDir"] === null ? undefined : volume.name
}

const codeInVolume = (
  { args = [], command = [], volumeMounts = [], workingDir }: Container,
  has: (volume: string) => boolean
): ReadonlyArray<string> => {
  const texts = [...command, ...args, ...(workingDir === undefined ? [] : [workingDir])]
  return volumeMounts
    .filter(({ mountPath, name }) => !has(name) && texts.some((text) => PodEnv.namesPath(text, mountPath)))
    .map(
      ({ mountPath, name }) =>
        `the code that the command names at ${mountPath} of volume ${name} (list it in \`volumes\`, or set \`command\`)`
    )
}

/** The fields of the parent's pod that hold for runners too. `ownResources`: runners have resources of their own. */
const specOf = (
  { pod: { spec } }: ParentPod,
  volumes: ReadonlyArray<string>,
  ownResources: boolean
): Partial<PodSpec> =>
  defined({
    os: spec.os,
    hostUsers: spec.hostUsers,
    // These limit the containers of the pod together, so they do not fit a container with other resources.
    resources: ownResources || spec.resources === undefined ? undefined : withoutCpuLimit(spec.resources),
    imagePullSecrets: spec.imagePullSecrets,
    nodeSelector: spec.nodeSelector,
    tolerations: spec.tolerations?.filter((toleration) => !isDefaultToleration(toleration)),
    affinity: nodeAffinityOf(spec.affinity),
    securityContext: spec.securityContext,
    dnsPolicy: spec.dnsPolicy,
    dnsConfig: spec.dnsConfig,
    hostAliases: spec.hostAliases,
    runtimeClassName: spec.runtimeClassName,
    priorityClassName: spec.priorityClassName,
    schedulerName: spec.schedulerName,
    volumes: volumes.length === 0 ? undefined : spec.volumes?.filter(({ name }) => volumes.includes(name))
  })

/**
 * The parent's affinity to nodes.
 *
 * Terms about other pods are left out: an anti-affinity that keeps replicas apart would keep runners off all their nodes. So
 * are terms by field, which tie a DaemonSet's pod to its node.
 */
const nodeAffinityOf = (affinity: Fields | undefined): Fields | undefined => {
  const node = affinity?.["nodeAffinity"] as Fields | undefined
  if (node === undefined) return undefined
  const { requiredDuringSchedulingIgnoredDuringExecution: required, ...rest } = node
  const terms = ((required as Fields | undefined)?.["nodeSelectorTerms"] ?? []) as ReadonlyArray<Fields>
  const kept = terms.map(({ matchFields: _, ...term }) => term).filter((term) => Object.keys(term).length > 0)
  // Terms are alternatives: a term without conditions allows any node.
  const isRequired = kept.length > 0 && kept.length === terms.length
  const result: Fields = {
    ...rest,
    ...(isRequired ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: kept } } : {})
  }
  return Object.keys(result).length === 0 ? undefined : { nodeAffinity: result }
}

const lost = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]

/** Whether the API server added a toleration by itself: it does so for pods that do not mention lost nodes. */
const isDefaultToleration = ({ effect, key, operator, tolerationSeconds }: Fields): boolean =>
  lost.some((name) => name === key) && operator === "Exists" && effect === "NoExecute" && tolerationSeconds === 300

/**
 * Adds a toleration of lost nodes for 30 s, unless the tolerations mention lost nodes. With the default of 300 s a runner of a
 * lost node would be replaced later.
 */
export const withLostNodes = (tolerations: ReadonlyArray<Fields>): ReadonlyArray<Fields> => [
  ...tolerations,
  ...lost
    .filter(
      (name) =>
        !tolerations.some(
          ({ effect, key }) =>
            (key === name || key === undefined || key === "") &&
            (effect === undefined || effect === "" || effect === "NoExecute")
        )
    )
    .map((key) => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 30 }))
]

/** An object without the fields that are undefined. */
export const defined = <A extends object>(fields: A): { [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof A]?: Exclude<A[K], undefined>
  }

/** A value as plain JSON: dates become text, and undefined fields go. */
export const toJson = (value: object): Json => JSON.parse(JSON.stringify(value))
