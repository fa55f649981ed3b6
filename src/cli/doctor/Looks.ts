/**
 * The requests of `doctor`, each with the checks of its answer. A request that this user may not make becomes `unknown`.
 */
import { hostname, userInfo } from "node:os"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { InvalidSpec } from "../../error/BootFailure.ts"
import type { KubeError } from "../../kubernetes/api/KubeError.ts"
import * as KubeProxy from "../../kubernetes/api/KubeProxy.ts"
import * as DialBack from "../../kubernetes/hub/DialBack.ts"
import type { Metadata, Pod } from "../../kubernetes/object/KubeObjects.ts"
import * as ObjectNames from "../../kubernetes/object/ObjectNames.ts"
import * as RightsCheck from "../../kubernetes/RightsCheck.ts"
import type { PodOptions } from "../../kubernetes/template/PodOptions.ts"
import * as PodTemplate from "../../kubernetes/template/PodTemplate.ts"
import * as NeededRights from "../../kubernetes/verdict/NeededRights.ts"
import { Cluster, type KubeObject, noVersion } from "../cluster/Cluster.ts"
import * as Inventory from "../cluster/Inventory.ts"
import * as Resources from "../cluster/Resources.ts"
import type { LabelSelector } from "../cluster/Selectors.ts"
import * as Snapshots from "../cluster/Snapshots.ts"
import * as StatusSource from "../status/StatusSource.ts"
import { type Check, fail, unknown } from "./Check.ts"
import type { Parent } from "./Parent.ts"
import * as PodChecks from "./PodChecks.ts"
import * as PolicyChecks from "./PolicyChecks.ts"
import * as QuotaChecks from "./QuotaChecks.ts"
import * as RightsChecks from "./RightsChecks.ts"
import * as RunnerChecks from "./RunnerChecks.ts"
import * as SelectorChecks from "./SelectorChecks.ts"
import * as ServerChecks from "./ServerChecks.ts"

/** Options of the parent that no object of the cluster contains. */
export interface DoctorOptions {
  readonly key: "secret" | "env"
  readonly port: number
  readonly max: number | undefined
  readonly pod: PodOptions
}

/** The result of a check whose request to the API server was forbidden. `what` names the object that could not be read. */
const hidden =
  (name: string, what: string) =>
  (error: KubeError): Check =>
    unknown(name, `${what} could not be read: ${error.detail.replaceAll(/\s+/g, " ")}`, {
      fix: `run doctor as a user who may ${error.verb} ${error.resource}`
    })

/** A result of `server` after which every other request would fail for the same reason. */
const unusable = (...checks: ReadonlyArray<Check>) => ({
  isUsable: false,
  who: { name: "unknown", obstacle: undefined } satisfies ServerChecks.Who,
  checks
})

/**
 * The API server, the user and the clock. `isUsable` is false if every other request would fail for the same reason.
 */
export const server = Effect.gen(function* () {
  const { client, tokenEnd, version } = yield* Cluster
  const ended = Effect.gen(function* () {
    const [end, now] = [yield* tokenEnd, client.serverTime?.() ?? (yield* Clock.currentTimeMillis)]
    return end !== undefined && end < now ? end : undefined
  })
  const first = yield* Effect.result(version)
  // An API server may hide its version, and still serve. Any other answer is not that of an API server.
  if (Result.isFailure(first) && first.failure.status !== 403) {
    const { failure } = first
    return unusable(
      failure.status === 401 ? ServerChecks.refused(failure, yield* ended) : ServerChecks.unreached(failure)
    )
  }
  if (Result.isSuccess(first) && first.success === noVersion) return unusable(ServerChecks.noServer(client.server))
  const began = yield* Clock.monotonicTimeNanos
  yield* Effect.ignore(version)
  const latency = Number((yield* Clock.monotonicTimeNanos) - began) / 1e6
  const reached = ServerChecks.reached({
    server: client.server,
    version: Result.getOrElse(first, () => noVersion),
    latency,
    proxy: KubeProxy.proxyFor(client.server)
  })
  const who = yield* Effect.result(client.whoAmI)
  const clock = ServerChecks.clock(yield* Clock.currentTimeMillis, client.serverTime?.())
  if (Result.isFailure(who) && who.failure.status === 401) {
    return unusable(reached, clock, ServerChecks.refused(who.failure, yield* ended))
  }
  const known: ServerChecks.Who = Result.isSuccess(who)
    ? { name: who.success, obstacle: undefined }
    : { name: client.user ?? "unknown", obstacle: who.failure.detail }
  return { isUsable: true, who: known, checks: [reached, clock] }
})

/** Whether the parent's account has some rights, by a review of each. */
const reviewed = (account: string, rights: ReadonlyArray<NeededRights.Right>) =>
  Effect.gen(function* () {
    const { client, create } = yield* Cluster
    const [, of = ""] = /^system:serviceaccount:([^:]+):/.exec(account) ?? []
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${of}`, "system:authenticated"]
    const ask = ({ group = "", resource }: NeededRights.Right, verb: string) => {
      const [name, subresource] = resource.split("/")
      const resourceAttributes = {
        namespace: client.namespace,
        verb,
        group,
        resource: name,
        ...(subresource === undefined ? {} : { subresource })
      }
      const review = create<{ readonly status?: { readonly allowed?: boolean } }>(Resources.accessReviews, {
        apiVersion: "authorization.k8s.io/v1",
        kind: "LocalSubjectAccessReview",
        metadata: { namespace: client.namespace },
        spec: { user: account, groups, resourceAttributes }
      })
      return Effect.map(
        Effect.result(review),
        (answer) =>
          [
            `${verb} ${resource}`,
            Result.isSuccess(answer) ? (answer.success.status?.allowed ?? false) : undefined
          ] as const
      )
    }
    const asked = rights.flatMap((right) => right.verbs.map((verb) => ask(right, verb)))
    const answers = new Map(yield* Effect.all(asked, { concurrency: 8 }))
    return (verb: string, { resource }: NeededRights.Right) => answers.get(`${verb} ${resource}`)
  })

/** Whether this user has a right. */
const own = Effect.gen(function* () {
  const { client } = yield* Cluster
  const rules = yield* Effect.result(client.rulesReview)
  return (verb: string, { group, resource }: NeededRights.Right) => {
    if (Result.isFailure(rules)) return undefined
    const isListed = NeededRights.allows(rules.success, verb, resource, group)
    return isListed ? true : rules.success.incomplete ? undefined : false
  }
})

/** Each right of the parent. */
export const rights = (parent: Parent, user: string, { key, pod }: DoctorOptions) =>
  Effect.gen(function* () {
    const { client } = yield* Cluster
    const needs: NeededRights.RightsNeeded = {
      key,
      secretEnv: Object.keys(pod.secretEnv ?? {}).length > 0,
      portForward: parent.pod === undefined,
      namespace: client.namespace,
      user: parent.account ?? user
    }
    const may = parent.account === undefined ? own : reviewed(parent.account, RightsChecks.rightsOf(needs))
    return RightsChecks.checks(needs, yield* may)
  })

/** The pod of a runner, as the parent would make it. */
const sampleOf = (parent: Parent, namespace: string, options: DoctorOptions): Pod | InvalidSpec => {
  const identity =
    parent.pod === undefined
      ? ObjectNames.external(hostname(), userInfo().username, "effect-flame doctor")
      : ObjectNames.inCluster(parent.pod.pod.metadata.uid ?? "", parent.pod.container.name)
  const given = parent.pod === undefined ? { image: PodChecks.noImage, ...options.pod } : options.pod
  const ownerless = parent.isRunning ? given : { ...given, ownerReference: false as const }
  const template = PodTemplate.make(ownerless, parent.pod, identity, options.port)
  if (template instanceof InvalidSpec) return template
  const [address = "10.0.0.1"] = DialBack.podAddresses(parent.pod?.pod)
  const dial = parent.pod === undefined ? undefined : DialBack.withPort(address, options.port)
  const pod = RightsCheck.samplePod(template, "preflight", dial)
  return { ...pod, metadata: { ...pod.metadata, namespace } }
}

/** The runners of this parent that exist. */
const runnersOf = (parent: Parent, all: ReadonlyArray<Pod>): ReadonlyArray<Pod> => {
  const uid = parent.isRunning ? parent.pod?.pod.metadata.uid : undefined
  return uid === undefined ? [] : all.filter(({ metadata }) => Inventory.parentOf(metadata).startsWith(uid))
}

/** The runners of this parent that its quota counts. */
const livingOf = (parent: Parent, all: ReadonlyArray<Pod>): number =>
  runnersOf(parent, all).filter(({ status }) => status?.phase === "Pending" || status?.phase === "Running").length

/** The number of runners that the parent has now; 0 where they cannot be listed. */
const livingNow = (parent: Parent) =>
  Effect.gen(function* () {
    const { client } = yield* Cluster
    const listed = yield* Effect.option(client.listPods("flame.dev/role=runner"))
    return Option.isSome(listed) ? livingOf(parent, listed.value.items) : 0
  })

/** The dry run of a runner's pod, and the pod as admission would make it. */
export const pod = (parent: Parent, options: DoctorOptions) =>
  Effect.gen(function* () {
    const { client } = yield* Cluster
    const sample = sampleOf(parent, client.namespace, options)
    if (sample instanceof InvalidSpec) {
      return { sample: undefined, made: undefined, checks: [fail("pod", `the options make no pod: ${sample.detail}`)] }
    }
    const made = yield* Effect.result(client.createPod(sample, { dryRun: true }))
    const context = {
      namespace: client.namespace,
      workload: parent.workload,
      container: parent.pod?.container.name
    }
    if (Result.isFailure(made)) {
      const { failure } = made
      const living = /exceeded quota/.test(failure.detail) ? yield* livingNow(parent) : 0
      return { sample, made: sample, checks: [PodChecks.refused(failure, context, living)] }
    }
    return { sample, made: made.success, checks: PodChecks.answered(sample, made.success) }
  })

/** The runners that exist now, and what the parent says of its boots. */
export const runners = (parent: Parent) =>
  Effect.gen(function* () {
    const { client } = yield* Cluster
    const pod = parent.pod?.pod.metadata.name
    if (parent.pod === undefined || !parent.isRunning || pod === undefined) return []
    const listed = yield* client.listPods("flame.dev/role=runner")
    const now = client.serverTime?.() ?? (yield* Clock.currentTimeMillis)
    const own = runnersOf(parent, listed.items)
    const document = yield* Effect.option(StatusSource.read(StatusSource.ofPod(client, pod)))
    return RunnerChecks.checks(own, Option.getOrUndefined(document), now)
  }).pipe(Effect.catch((error) => Effect.succeed([hidden("runners", "runners")(error)])))

/** The quotas of the namespace. */
export const quota = (parent: Parent, made: Pod, max: number | undefined) =>
  Effect.gen(function* () {
    const { client, list } = yield* Cluster
    const quotas = yield* list<QuotaChecks.Quota>(Resources.resourceQuotas)
    return QuotaChecks.checks(quotas, made, client.namespace, max, yield* livingNow(parent))
  }).pipe(Effect.catch((error) => Effect.succeed([hidden("quota", "quotas")(error)])))

interface Selecting extends KubeObject {
  readonly spec?: { readonly selector?: LabelSelector | Readonly<Record<string, string>> }
}

const selecting: ReadonlyArray<readonly [SelectorChecks.Selecting["kind"], Resources.Resource]> = [
  ["service", Resources.services],
  ["replicaset", Resources.replicaSets],
  ["statefulset", Resources.statefulSets],
  ["daemonset", Resources.daemonSets],
  ["poddisruptionbudget", Resources.disruptionBudgets]
]

/** A Service selects by labels alone, and nothing without a selector. */
const selectorOf = (kind: SelectorChecks.Selecting["kind"], { spec = {} }: Selecting): LabelSelector | undefined => {
  const { selector } = spec
  if (kind !== "service" || selector === undefined) return selector
  return Object.keys(selector).length === 0 ? undefined : { matchLabels: selector as Readonly<Record<string, string>> }
}

/** The objects of the namespace whose selector matches a runner. */
export const selectors = (parent: Parent, made: Pod) =>
  Effect.gen(function* () {
    const { client, list } = yield* Cluster
    const listed = yield* Effect.forEach(
      selecting,
      ([kind, resource]) =>
        Effect.map(Snapshots.ifAllowed(list<Selecting>(resource)), (items) => ({ kind, resource, items })),
      { concurrency: 5 }
    )
    const hiddenOnes = listed.flatMap(({ items, resource }) => (items === undefined ? [resource.name] : []))
    const all = listed.flatMap(({ items = [], kind }) =>
      items.map((item) => ({ kind, metadata: item.metadata, selector: selectorOf(kind, item) }))
    )
    const checks = SelectorChecks.checks(all, made.metadata.labels ?? {}, parent.labels, client.namespace)
    if (hiddenOnes.length === 0) return checks
    const fix = { fix: `run doctor as a user who may list ${hiddenOnes.join(", ")}` }
    const missed = unknown("selectors", `selectors of ${hiddenOnes.join(", ")} could not be read`, fix)
    return [...checks.filter(({ status }) => status !== "ok"), missed]
  }).pipe(Effect.catch((error) => Effect.succeed([hidden("selectors", "selectors")(error)])))

/** The NetworkPolicies between runners and their parent. */
export const network = (parent: Parent, made: Pod, port: number) =>
  Effect.gen(function* () {
    const { client, get, list } = yield* Cluster
    if (parent.pod === undefined || parent.pod.pod.spec.hostNetwork === true) return []
    const policies = yield* list<PolicyChecks.Policy>(Resources.networkPolicies)
    const space = yield* Effect.orElseSucceed(
      get<{ readonly metadata: Metadata }>(Resources.namespaces, client.namespace),
      () => undefined
    )
    const [address] = DialBack.podAddresses(parent.pod.pod)
    return PolicyChecks.checks(policies, {
      namespace: client.namespace,
      namespaceLabels: { "kubernetes.io/metadata.name": client.namespace, ...space?.metadata.labels },
      parent: parent.labels,
      workload: parent.workload?.name ?? parent.pod.pod.metadata.name ?? "parent",
      runner: made.metadata.labels ?? {},
      port,
      portNames: (parent.pod.container.ports ?? []).flatMap(({ containerPort, name }) =>
        containerPort === port && typeof name === "string" ? [name] : []
      ),
      address
    })
  }).pipe(Effect.catch((error) => Effect.succeed([hidden("network", "NetworkPolicies")(error)])))
