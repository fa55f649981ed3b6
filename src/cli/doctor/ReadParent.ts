/** Finds the parent that `doctor` looks at. */
import * as Effect from "effect/Effect"
import * as OwnContainer from "../../kubernetes/template/OwnContainer.ts"
import * as PodParent from "../../kubernetes/template/PodParent.ts"
import { InvalidSpec } from "../../error/BootFailure.ts"
import type { Metadata, Pod, PodSpec } from "../../kubernetes/object/KubeObjects.ts"
import { CommandFailed } from "../cluster/CommandFailed.ts"
import type { KubeError } from "../../kubernetes/api/KubeError.ts"
import { Cluster, type KubeObject } from "../cluster/Cluster.ts"
import * as NamespaceSearch from "../cluster/NamespaceSearch.ts"
import { ifAllowed } from "../cluster/Snapshots.ts"
import { type Check, fail, unknown } from "./Check.ts"
import { deployments, pods, type Resource, statefulSets } from "../cluster/Resources.ts"
import { accountOf, type Parent, podOfTemplate, sharedLabels } from "./Parent.ts"

interface Workload {
  readonly metadata: Metadata
  readonly spec: {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
    readonly template: { readonly metadata?: Metadata; readonly spec: PodSpec }
  }
}

interface Target {
  readonly kind: string
  readonly resource: Resource
  readonly name: string
}

const kinds: Readonly<Record<string, { readonly kind: string; readonly resource: Resource }>> = {
  deploy: { kind: "deployment", resource: deployments },
  deployment: { kind: "deployment", resource: deployments },
  deployments: { kind: "deployment", resource: deployments },
  sts: { kind: "statefulset", resource: statefulSets },
  statefulset: { kind: "statefulset", resource: statefulSets },
  statefulsets: { kind: "statefulset", resource: statefulSets },
  po: { kind: "pod", resource: pods },
  pod: { kind: "pod", resource: pods },
  pods: { kind: "pod", resource: pods }
}

/** The kinds of a name alone, in this order. */
const anyKind = [
  { kind: "deployment", resource: deployments },
  { kind: "statefulset", resource: statefulSets }
] as const

/** The kind and the name in `deploy/shop`; for a name alone each kind that it may be of. */
export const parse = (text: string): ReadonlyArray<Target> => {
  const [first = "", name, ...more] = text.split("/")
  if (name === undefined) return first === "" ? [] : anyKind.map((kind) => ({ ...kind, name: first }))
  const known = kinds[first]
  return known === undefined || name === "" || more.length > 0 ? [] : [{ ...known, name }]
}

const wrong = (message: string, status: 1 | 2 = 1) => Effect.fail(new CommandFailed({ status, message }))

const parentOf = Effect.fnUntraced(function* (pod: Pod, container: string | undefined, found?: string) {
  const parent = PodParent.find(pod, container, found)
  return parent instanceof InvalidSpec
    ? yield* wrong(parent.detail.replace("set `container`", "set --container"), 2)
    : parent
})

/** The first of the workloads that exists. */
const firstOf = (targets: ReadonlyArray<Target>) =>
  Effect.gen(function* () {
    const { get } = yield* Cluster
    for (const { kind, name, resource } of targets) {
      const workload = yield* get<Workload>(resource, name)
      if (workload !== undefined) return { kind, name, workload }
    }
    return undefined
  })

/** The failure of a parent that does not exist, with the existing name that is most like it. */
const missing = (targets: ReadonlyArray<Target>) =>
  Effect.gen(function* () {
    const { client, list } = yield* Cluster
    const noNamespace = yield* NamespaceSearch.missing
    if (noNamespace !== undefined) return yield* Effect.fail(noNamespace)
    const name = targets[0]?.name ?? ""
    const others = yield* Effect.forEach([...anyKind, { kind: "pod", resource: pods }], ({ kind, resource }) =>
      Effect.map(
        Effect.orElseSucceed(list(resource), (): ReadonlyArray<KubeObject> => []),
        (all) => all.map(({ metadata }) => ({ kind, name: metadata.name ?? "" }))
      )
    )
    const meant = NamespaceSearch.nearest(
      name,
      others.flat().map((each) => each.name)
    )
    const other = others.flat().find((each) => each.name === meant)
    const hint = other === undefined ? "" : `; did you mean ${other.kind}/${other.name}?`
    const what = targets.map(({ kind }) => kind).join(" or ")
    return yield* wrong(`there is no ${what} ${name} in namespace ${client.namespace}${hint}`)
  })

/** The check of a parent that could not be read. A wrong command line stays a failure. */
export const checkOf = (error: CommandFailed | KubeError): Effect.Effect<Check, CommandFailed> => {
  if (error._tag === "CommandFailed") {
    return error.status === 2
      ? Effect.fail(error)
      : Effect.succeed(
          fail("parent", error.message, { fix: "name a parent that exists, and its namespace by --namespace" })
        )
  }
  const line = `the parent could not be read: ${error.detail.replaceAll(/\s+/g, " ")}`
  return Effect.succeed(
    error.status === 403
      ? unknown("parent", line, { fix: `run doctor as a user who may ${error.verb} ${error.resource}` })
      : fail("parent", line)
  )
}

/** The parent of a workload: its newest pod that runs, else the pod that its template would make. */
const ofWorkload = Effect.fnUntraced(function* (target: string, container: string | undefined) {
  const { client, get, list } = yield* Cluster
  const { namespace } = client
  const targets = parse(target)
  const [first] = targets
  if (first === undefined) {
    return yield* wrong(`${target} names no parent: write deploy/NAME, statefulset/NAME or pod/NAME`, 2)
  }
  if (first.kind === "pod") {
    const { kind, name, resource } = first
    const pod = yield* get<Pod>(resource, name)
    if (pod === undefined) return yield* missing(targets)
    return {
      workload: { kind, name },
      labels: sharedLabels(pod),
      pod: yield* parentOf(pod, container),
      isRunning: true,
      account: accountOf(pod, namespace)
    } satisfies Parent
  }
  const found = yield* firstOf(targets)
  if (found === undefined) return yield* missing(targets)
  const { kind, name, workload } = found
  const { selector, template } = workload.spec
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
  const all = labels.length === 0 ? [] : ((yield* ifAllowed(list<Pod>(pods, labels.join(",")))) ?? [])
  const [running] = all
    .filter(({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.phase === "Running")
    .toSorted((left, right) =>
      (right.metadata.creationTimestamp ?? "").localeCompare(left.metadata.creationTimestamp ?? "")
    )
  // The template counts, because a fix of it must make the check pass while the old pods still run.
  const pod = podOfTemplate(name, namespace, template)
  const known = running === undefined ? pod : { ...running, spec: { ...template.spec } }
  return {
    workload: { kind, name },
    labels: template.metadata?.labels ?? {},
    pod: yield* parentOf(known, container),
    isRunning: running !== undefined,
    account: accountOf(pod, namespace)
  } satisfies Parent
})

/** The parent: that of an argument, else this process's own pod, else a process outside of the cluster. */
export const read = (target: string | undefined, container: string | undefined) =>
  Effect.gen(function* () {
    if (target !== undefined) return yield* ofWorkload(target, container)
    const { client } = yield* Cluster
    if (client.self === undefined) {
      return { workload: undefined, labels: {}, pod: undefined, isRunning: true, account: undefined } satisfies Parent
    }
    const pod = yield* client.getPod(client.self.name)
    const own = yield* parentOf(pod, container, OwnContainer.nameIn(pod, OwnContainer.read()))
    return {
      workload: undefined,
      labels: sharedLabels(pod),
      pod: own,
      isRunning: true,
      account: undefined
    } satisfies Parent
  })
