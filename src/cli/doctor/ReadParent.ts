/** Finds the parent that `doctor` looks at. */
import * as Effect from "effect/Effect"
import * as OwnContainer from "../../kubernetes/template/OwnContainer.ts"
import * as PodParent from "../../kubernetes/template/PodParent.ts"
import { InvalidSpec } from "../../error/BootFailure.ts"
import type { Metadata, Pod, PodSpec } from "../../kubernetes/object/KubeObjects.ts"
import { CommandFailed } from "../cluster/CommandFailed.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { deployments, pods, type Resource, statefulSets } from "../cluster/Resources.ts"
import { accountOf, type Parent, podOfTemplate, sharedLabels } from "./Parent.ts"

interface Workload {
  readonly metadata: Metadata
  readonly spec: {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
    readonly template: { readonly metadata?: Metadata; readonly spec: PodSpec }
  }
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

/** The kind and the name in `deploy/shop`; a name alone is that of a Deployment. */
export const parse = (
  text: string
): { readonly kind: string; readonly resource: Resource; readonly name: string } | undefined => {
  const [first = "", name] = text.split("/")
  if (name === undefined) return first === "" ? undefined : { ...kinds["deployment"]!, name: first }
  const known = kinds[first]
  return known === undefined || name === "" ? undefined : { ...known, name }
}

const wrong = (message: string, status: 1 | 2 = 1) => Effect.fail(new CommandFailed({ status, message }))

const parentOf = Effect.fnUntraced(function* (pod: Pod, container: string | undefined, found?: string) {
  const parent = PodParent.find(pod, container, found)
  return parent instanceof InvalidSpec
    ? yield* wrong(parent.detail.replace("set `container`", "set --container"), 2)
    : parent
})

/** The parent of a workload: its newest pod that runs, else the pod that its template would make. */
const ofWorkload = Effect.fnUntraced(function* (target: string, container: string | undefined) {
  const { client, get, list } = yield* Cluster
  const { namespace } = client
  const found = parse(target)
  if (found === undefined) {
    return yield* wrong(`${target} names no parent: write deploy/NAME, statefulset/NAME or pod/NAME`, 2)
  }
  const { kind, name, resource } = found
  const missing = () => wrong(`there is no ${kind} ${name} in namespace ${namespace}`)
  if (kind === "pod") {
    const pod = yield* get<Pod>(resource, name)
    if (pod === undefined) return yield* missing()
    return {
      workload: { kind, name },
      labels: sharedLabels(pod),
      pod: yield* parentOf(pod, container),
      isRunning: true,
      account: accountOf(pod, namespace)
    } satisfies Parent
  }
  const workload = yield* get<Workload>(resource, name)
  if (workload === undefined) return yield* missing()
  const { selector, template } = workload.spec
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
  const all = labels.length === 0 ? [] : yield* list<Pod>(pods, labels.join(","))
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
