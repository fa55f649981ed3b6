/**
 * The pods of runners: made once of the parent's pod and the options, and then for each runner.
 *
 * Over each other, the higher one standing: what is inherited, the manifest, single options, what makes it a runner.
 */
import type { V1Container, V1Pod } from "@kubernetes/client-node"
import type { RunnerSpec } from "../../backend/Backend.ts"
import { InvalidSpec } from "../../error/BootFailure.ts"
import type { Container, EnvVar, Fields, OwnerReference, Pod, PodSpec } from "../object/KubeObjects.ts"
import * as PodEnv from "./PodEnv.ts"
import { containerOf, defined, specOf, toJson, withLostNodes } from "./PodInheritance.ts"
import * as PodLabels from "../object/PodLabels.ts"
import * as PodMesh from "./PodMesh.ts"
import { podName, type ParentIdentity } from "../object/PodNames.ts"
import type { Manifest, PodOptions } from "./PodOptions.ts"
import { ownerOf, type ParentPod } from "./PodParent.ts"
import * as PodSecurity from "./PodSecurity.ts"

/** Name of a runner's container. */
export const containerName = "runner"

/** What all runners of a parent have in common. */
export interface PodTemplate {
  readonly identity: ParentIdentity
  readonly namespace: string | undefined
  readonly owner: OwnerReference | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly spec: PodSpec
  readonly container: Container
  readonly sidecars: ReadonlyArray<Container>
  /** Names of the variables whose values the Secret of a life holds. */
  readonly secretEnv: ReadonlyArray<string>
  /** What to set as CPU limit where admission demands one. */
  readonly cpuLimit: string
  /** What is not inherited and might be missed, a line each. */
  readonly warnings: ReadonlyArray<string>
}

/** One runner to be. */
export interface PodRequest extends PodEnv.LinkSetup {
  readonly spec: RunnerSpec
  /** The Secret that holds the values of `secretEnv`; needed where there are any. */
  readonly secretEnv?: string
  /** Whether a CPU limit must be set, because the namespace's quota demands one. */
  readonly needsCpuLimit?: boolean
}

/** The template for runners of a parent in the cluster, or outside of it (`parent` undefined), or what is wrong with the options. */
export const make = (
  options: PodOptions,
  parent: ParentPod | undefined,
  identity: ParentIdentity,
  /** The port that runners dial, so that a service mesh leads it past its proxy. */
  port?: number
): PodTemplate | InvalidSpec => {
  const manifest = manifestOf(options.manifest, parent)
  if (manifest instanceof InvalidSpec) return manifest
  const volumes = options.volumes ?? []
  const unknown = volumes.find((name) => !parent?.pod.spec.volumes?.some((volume) => volume.name === name))
  if (unknown !== undefined) {
    return new InvalidSpec({ detail: `the parent's pod has no volume ${unknown}: correct \`volumes\`` })
  }
  const { said, sidecars } = containersOf(manifest)
  const given = overrides(options)
  const inherited =
    parent === undefined
      ? { container: {}, warnings: [] }
      : containerOf(parent, volumes, {
          command: (given.command ?? said.command) !== undefined,
          env: new Set([...(said.env ?? []).map(({ name }) => name), ...Object.keys(options.env ?? {})])
        })
  const container = layered(
    inherited.container,
    said,
    given,
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
    spec: specLayered(
      parent === undefined ? {} : specOf(parent, volumes),
      manifest,
      options,
      container.securityContext
    ),
    container: {
      terminationMessagePolicy: "FallbackToLogsOnError",
      ...container,
      name: containerName,
      securityContext: PodSecurity.ofContainer(container.securityContext)
    },
    sidecars,
    secretEnv: Object.keys(options.secretEnv ?? {}),
    cpuLimit: parent?.container.resources?.limits?.["cpu"] ?? "1",
    warnings: inherited.warnings
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

/** Six hours for what nobody limits: nothing else ends a runner of a parent that lost its cluster. */
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
      "this process runs outside the cluster, where no pod says what image runners have: set `image` (and `command`, " +
      'unless the image starts the program by itself), as in\n  image: "registry.example/app:1.2.3", command: ["node", "main.js"]'
  })

/** What a manifest comes to in JSON. */
interface Said {
  readonly metadata?: Pod["metadata"]
  readonly spec?: Partial<PodSpec>
}

const manifestOf = (manifest: PodOptions["manifest"], parent: ParentPod | undefined): Said | InvalidSpec => {
  if (typeof manifest !== "function") return toJson(manifest ?? {}) as Said
  if (parent === undefined) {
    return new InvalidSpec({
      detail:
        "this process runs outside the cluster, so there is no parent's pod to make runners of: give `manifest` as an object"
    })
  }
  // a copy, so that a function which changes it harms nobody
  const copy = toJson(parent) as unknown as ParentPod
  const made = manifest(copy.pod as unknown as V1Pod, copy.container as unknown as V1Container)
  return toJson(made satisfies Manifest) as Said
}

const containersOf = (
  manifest: Said
): { readonly said: Partial<Container>; readonly sidecars: ReadonlyArray<Container> } => {
  const containers = manifest.spec?.containers ?? []
  const said = containers.find(({ name }) => name === containerName) ?? containers[0]
  return { said: said ?? {}, sidecars: containers.filter((container) => container !== said) }
}

/** The single options that are fields of the container. */
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
    // arguments of another command, and the policy of another image, mean nothing
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
    // variables of every service in the namespace: they cost time and may collide
    enableServiceLinks: false,
    // a mounted token costs 0.3 s, and a runner needs no rights
    automountServiceAccountToken: false,
    ...spec,
    tolerations: withLostNodes(spec.tolerations ?? []),
    securityContext: PodSecurity.ofPod(spec.securityContext, ofContainer),
    ...(volumes.length === 0 ? {} : { volumes }),
    containers: []
  }
}
