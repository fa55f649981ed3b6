/** What of a parent's pod holds for its runners, and what would break them. */
import type { Container, Fields, Json, PodSpec } from "../object/KubeObjects.ts"
import type { ParentPod } from "./PodParent.ts"
import { statusOf } from "./PodParent.ts"
import * as PodEnv from "./PodEnv.ts"

/**
 * The parent's container as a runner's: without ports, probes, hooks and whatever else only the parent is.
 *
 * What is `replaced` anyway is not worth a warning.
 */
export const containerOf = (
  parent: ParentPod,
  volumes: ReadonlyArray<string>,
  replaced: { readonly command: boolean; readonly env: ReadonlySet<string> }
): { readonly container: Partial<Container>; readonly warnings: ReadonlyArray<string> } => {
  const { container } = parent
  const has = (volume: string): boolean => volumes.includes(volume)
  const { env, warnings } = PodEnv.inherited(container, has, replaced.env)
  const image = container.image === undefined ? undefined : pinned(container.image, statusOf(parent)?.imageID)
  const mounts = (container.volumeMounts ?? []).filter(({ name }) => has(name))
  const inherited = {
    image,
    // a digest cannot move, so that asking the registry at each boot tells nothing
    imagePullPolicy:
      image?.includes("@") && container.imagePullPolicy === "Always" ? "IfNotPresent" : container.imagePullPolicy,
    command: container.command,
    args: container.args,
    workingDir: container.workingDir,
    env,
    envFrom: container.envFrom,
    resources: resourcesOf(container),
    securityContext: container.securityContext,
    volumeMounts: mounts.length === 0 ? undefined : mounts
  }
  return {
    container: defined(inherited),
    warnings: [...warnings, ...(replaced.command ? [] : codeInVolume(container, has))]
  }
}

/** Requests and limits but of CPU: with 500m a boot takes two seconds longer. Claimed devices are the parent's own. */
const resourcesOf = ({ resources }: Container): Container["resources"] => {
  const { cpu: _, ...limits } = resources?.limits ?? {}
  return defined({
    requests: resources?.requests,
    limits: Object.keys(limits).length === 0 ? undefined : limits
  })
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
        `the command names ${mountPath} of volume ${name}, which runners do not have: list it in \`volumes\`, or set \`command\``
    )
}

/** What places and surrounds the parent's pod, as far as it is not the parent's own affair. */
export const specOf = ({ pod: { spec } }: ParentPod, volumes: ReadonlyArray<string>): Partial<PodSpec> =>
  defined({
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
 * Where the parent may be, without its terms about other pods, which are about itself: an anti-affinity that keeps
 * replicas apart would keep runners off all their nodes. The field that ties a DaemonSet's pod to its node is left out too.
 */
const nodeAffinityOf = (affinity: Fields | undefined): Fields | undefined => {
  const node = affinity?.["nodeAffinity"] as Fields | undefined
  if (node === undefined) return undefined
  const { requiredDuringSchedulingIgnoredDuringExecution: required, ...rest } = node
  const terms = ((required as Fields | undefined)?.["nodeSelectorTerms"] ?? []) as ReadonlyArray<Fields>
  const kept = terms.map(({ matchFields: _, ...term }) => term).filter((term) => Object.keys(term).length > 0)
  // terms are alternatives: when one of them allows any node, all of them do
  const isRequired = kept.length > 0 && kept.length === terms.length
  const result: Fields = {
    ...rest,
    ...(isRequired ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: kept } } : {})
  }
  return Object.keys(result).length === 0 ? undefined : { nodeAffinity: result }
}

const lost = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]

/** What the API server adds to every pod that says nothing of lost nodes. */
const isDefaultToleration = ({ effect, key, operator, tolerationSeconds }: Fields): boolean =>
  lost.some((name) => name === key) && operator === "Exists" && effect === "NoExecute" && tolerationSeconds === 300

/** Tolerations with those of lost nodes, for 30 s, where none speaks of them: runners are replaced sooner than pods. */
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

/** Anything of a client library's models as plain JSON, with dates as text and nothing undefined. */
export const toJson = (value: object): Json => JSON.parse(JSON.stringify(value))

const withoutTag = (image: string): string => {
  const name = image.split("@")[0] ?? image
  const colon = name.lastIndexOf(":")
  // a colon before the last slash is of the registry's port
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name
}

/** The repository as registries have it: `node` is `docker.io/library/node`. */
const canonical = (repository: string): string => {
  const [first = "", ...rest] = repository.split("/")
  if (rest.length === 0) return `docker.io/library/${first}`
  const isRegistry = /[.:]/.test(first) || first === "localhost"
  if (!isRegistry) return `docker.io/${repository}`
  return first === "index.docker.io" ? ["docker.io", ...rest].join("/") : repository
}

/**
 * What to run as the parent's image: pinned to the digest that the kubelet pulled it by.
 *
 * An image that was loaded into the node has no digest of a registry (its id is that of its configuration, or of another
 * repository): a reference by it could not be found on any node, so it stays what the spec says.
 */
const pinned = (image: string, imageId: string | undefined): string => {
  if (image.includes("@")) return image
  const [, name, digest] = /^(?:[a-z-]+:\/\/)?(.+)@(sha256:[0-9a-f]{64})$/.exec(imageId ?? "") ?? []
  if (name === undefined || digest === undefined) return image
  const repository = withoutTag(image)
  return canonical(name) === canonical(repository) ? `${repository}@${digest}` : image
}
