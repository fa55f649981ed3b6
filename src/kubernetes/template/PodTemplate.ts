/**
 * Makes the pods of runners: one template from the parent's pod and the options, and from the template a pod for each runner.
 *
 * Four layers, each overriding the ones before: the inherited pod, the manifest, single options, the runner's role.
 */
import type { RunnerSpec } from "../../backend/Backend.ts"
import { InvalidSpec } from "../../error/BootFailure.ts"
import type { ContainerManifest } from "../manifest/Containers.ts"
import type { Container, EnvVar, Fields, OwnerReference, Pod, PodSpec } from "../object/KubeObjects.ts"
import * as PodEnv from "./PodEnv.ts"
import { cpuLimitOf } from "./PodDownward.ts"
import { defined, inheritedOf, nothingInherited, type Said, toJson, withLostNodes } from "./PodInheritance.ts"
import * as PodLabels from "../object/PodLabels.ts"
import * as PodMesh from "./PodMesh.ts"
import { podName, type ParentIdentity } from "../object/ObjectNames.ts"
import type { Manifest, ParentManifest, PodOptions } from "./PodOptions.ts"
import { ownerOf, type ParentPod } from "./PodParent.ts"
import * as PodSecurity from "./PodSecurity.ts"

/** Name of a runner's container. */
export const containerName = "runner"

/** The part of the pods that all runners of a parent share. */
export interface PodTemplate {
  readonly identity: ParentIdentity
  readonly namespace: string | undefined
  readonly owner: OwnerReference | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly spec: PodSpec
  readonly container: Container
  readonly sidecars: ReadonlyArray<Container>
  /** Names of the variables whose values lie in a Secret. */
  readonly secretEnv: ReadonlyArray<string>
  /** The CPU limit for a namespace that demands one: the parent's, else 1. */
  readonly cpuLimit: string
  /** The parts of the parent's specification that runners go without, one entry each. */
  readonly leftOut: ReadonlyArray<string>
}

/** The runner that a pod is for. */
export interface PodRequest extends PodEnv.LinkSetup {
  readonly spec: RunnerSpec
  /** The Secret that holds the values of `secretEnv`. Required if the template has any. */
  readonly secretEnv?: string
  /** Whether the pod gets a CPU limit, because the namespace's quota demands one. Default false. */
  readonly needsCpuLimit?: boolean
}

/**
 * The template for the runners of a parent; `parent` is undefined outside of the cluster. Fails with `InvalidSpec` if the
 * options contradict each other or the parent.
 */
export const make = (
  options: PodOptions,
  parent: ParentPod | undefined,
  identity: ParentIdentity,
  /** The port that runners dial, so that a service mesh leads it past its proxy. */
  port?: number
): PodTemplate | InvalidSpec => {
  const manifest = manifestOf(options.manifest, parent)
  if (manifest instanceof InvalidSpec) return manifest
  const unknown = options.volumes?.find((name) => !parent?.pod.spec.volumes?.some((volume) => volume.name === name))
  if (unknown !== undefined) {
    return new InvalidSpec({ detail: `the parent's pod has no volume ${unknown}: correct \`volumes\`` })
  }
  const { said, sidecars } = containersOf(manifest)
  const own = { manifest, said, given: overrides(options) }
  const inherited = parent === undefined ? nothingInherited : inheritedOf(options, parent, own)
  const container = layered(
    inherited.container,
    said,
    own.given,
    (name) => options.env !== undefined && name in options.env && options.env[name] === undefined
  )
  if (container.image === undefined) return imageMissing()
  const labels = { ...manifest.metadata?.labels, ...options.labels }
  const problem = PodLabels.problemOf(labels, parent?.pod.metadata.labels)
  if (problem !== undefined) return problem
  const mesh = PodMesh.metadataOf(parent?.pod, port)
  return {
    identity,
    namespace: parent?.pod.metadata.namespace,
    owner: options.ownerReference === false || parent === undefined ? undefined : ownerOf(parent),
    labels: { ...mesh.labels, ...labels },
    annotations: { ...mesh.annotations, ...manifest.metadata?.annotations, ...options.annotations },
    spec: specLayered(inherited.spec, manifest, options, container.securityContext),
    container: {
      terminationMessagePolicy: "FallbackToLogsOnError",
      ...container,
      name: containerName,
      securityContext: PodSecurity.ofContainer(container.securityContext)
    },
    sidecars,
    secretEnv: Object.keys(options.secretEnv ?? {}),
    cpuLimit: (parent === undefined ? undefined : cpuLimitOf(parent.container, parent.pod)) ?? "1",
    leftOut: inherited.leftOut
  }
}

/** The pod of one runner. */
export const podOf = (template: PodTemplate, runner: PodRequest): Pod => {
  const { annotations, container, identity, namespace, owner, sidecars, spec } = template
  const grace = Math.ceil((runner.spec.drainTimeout + runner.spec.cancelGrace) / 1000)
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: defined({
      name: podName(identity, runner.spec),
      namespace,
      labels: { ...template.labels, ...PodLabels.ofRunner(identity, runner.spec.pool) },
      annotations: {
        ...(runner.spec.isKept === true ? {} : PodLabels.keepsNode),
        ...annotations,
        ...PodLabels.annotationsOf(runner.spec)
      },
      ownerReferences: owner === undefined ? undefined : [owner]
    }),
    spec: {
      ...(owner === undefined ? { activeDeadlineSeconds: deadlineOf(runner.spec, grace) } : {}),
      terminationGracePeriodSeconds: grace + 5,
      ...spec,
      restartPolicy: "Never",
      containers: [
        {
          ...container,
          ...(runner.needsCpuLimit === true ? { resources: withCpuLimit(container.resources, template.cpuLimit) } : {}),
          env: PodEnv.complete(PodEnv.over(container.env ?? [], secretVariables(template, runner)), runner)
        },
        ...sidecars
      ]
    }
  }
}

/** Seconds until Kubernetes ends a pod without an owner: six hours if the runner has no lifetime of its own. */
const deadlineOf = ({ maxLifetime }: RunnerSpec, grace: number): number =>
  maxLifetime === undefined || !Number.isFinite(maxLifetime) ? 6 * 3600 : Math.ceil(maxLifetime / 1000) + grace

const secretVariables = (template: PodTemplate, { secretEnv }: PodRequest): ReadonlyArray<EnvVar> =>
  secretEnv === undefined
    ? []
    : template.secretEnv.map((name) => ({
        name,
        valueFrom: { secretKeyRef: { name: secretEnv, key: PodEnv.secretEntry(name) } }
      }))

const withCpuLimit = (resources: Container["resources"], cpu: string): NonNullable<Container["resources"]> => ({
  ...resources,
  limits: { cpu, ...resources?.limits }
})

const imageMissing = (): InvalidSpec =>
  new InvalidSpec({
    detail:
      "this process runs outside of the cluster, where no pod says which image runners have: set `image` (and `command`, " +
      'unless the image starts the program by itself), as in\n  image: "registry.example/app:1.2.3", command: ["node", "main.js"]'
  })

const manifestOf = (manifest: PodOptions["manifest"], parent: ParentPod | undefined): Said | InvalidSpec => {
  if (typeof manifest !== "function") return toJson(manifest ?? {}) as Said
  if (parent === undefined) {
    return new InvalidSpec({
      detail:
        "this process runs outside of the cluster, so there is no parent's pod for the function `manifest`: give an object"
    })
  }
  // A copy, because the function may change it.
  const copy = toJson(parent) as unknown as ParentPod
  const made = manifest(copy.pod as unknown as ParentManifest, copy.container as unknown as ContainerManifest)
  return toJson(made satisfies Manifest) as Said
}

const containersOf = (
  manifest: Said
): { readonly said: Partial<Container>; readonly sidecars: ReadonlyArray<Container> } => {
  const containers = manifest.spec?.containers ?? []
  const said = containers.find(({ name }) => name === containerName) ?? containers[0]
  return { said: said ?? {}, sidecars: containers.filter((container) => container !== said) }
}

/** The options that are fields of the container. */
const overrides = (options: PodOptions): Partial<Container> =>
  toJson({
    image: options.image,
    command: options.command,
    args: options.args,
    env: Object.entries(options.env ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }])),
    resources: options.resources,
    securityContext: options.securityContext
  }) as Partial<Container>

const layered = (
  below: Partial<Container>,
  said: Partial<Container>,
  given: Partial<Container>,
  isTakenAway: (variable: string) => boolean
): Partial<Container> => {
  const mounts = [...(below.volumeMounts ?? []), ...(said.volumeMounts ?? [])]
  const { env = [], ...rest } = oneOver(oneOver(below, said), given)
  return {
    ...rest,
    env: env.filter(({ name }) => !isTakenAway(name)),
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts })
  }
}

const oneOver = (below: Partial<Container>, above: Partial<Container>): Partial<Container> => {
  const { args: _, imagePullPolicy: __, ...rest } = below
  return {
    ...rest,
    // Inherited arguments belong to the inherited command, and the pull policy to the inherited image.
    ...(above.command === undefined && below.args !== undefined ? { args: below.args } : {}),
    ...(above.image === undefined && below.imagePullPolicy !== undefined
      ? { imagePullPolicy: below.imagePullPolicy }
      : {}),
    ...above,
    env: PodEnv.over(below.env ?? [], above.env ?? [])
  }
}

const specLayered = (
  inherited: Partial<PodSpec>,
  manifest: Said,
  options: PodOptions,
  ofContainer: Fields | undefined
): PodSpec => {
  const { containers: _, volumes: own = [], ...said } = manifest.spec ?? {}
  const given = toJson({
    nodeSelector: options.nodeSelector,
    tolerations: options.tolerations,
    affinity: options.affinity,
    priorityClassName: options.priorityClassName,
    serviceAccountName: options.serviceAccountName,
    imagePullSecrets: options.imagePullSecrets?.map((name) => ({ name })),
    securityContext: options.podSecurityContext
  }) as Partial<PodSpec>
  const spec = { ...inherited, ...said, ...given }
  const volumes = [...(inherited.volumes ?? []), ...own]
  return {
    // No variables for every Service of the namespace: they take time, and may collide with others.
    enableServiceLinks: false,
    // A runner needs no rights, and mounting a token takes 0.3 s.
    automountServiceAccountToken: false,
    ...spec,
    tolerations: withLostNodes(spec.tolerations ?? []),
    securityContext: PodSecurity.ofPod(spec.securityContext, ofContainer),
    ...(volumes.length === 0 ? {} : { volumes }),
    containers: []
  }
}
