/** The client of a real API server, over our own HTTP: a client library opens a connection per request, and costs 85 MiB. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import manifest from "../../../package.json" with { type: "json" }
import type { ClusterEvent, Job, List, Pod } from "../object/KubeObjects.ts"
import { KubeClient, type Rules } from "./KubeClient.ts"
import type { KubeConnection } from "./KubeConnection.ts"
import { type CallBounds, type Caller, callerOf } from "./KubeCaller.ts"
import * as KubeDiscovery from "./KubeDiscovery.ts"
import type { KubeError, KubeUnconfigured } from "./KubeError.ts"
import * as KubeForward from "./KubeForward.ts"
import * as KubeHttp from "./KubeHttp.ts"
import * as KubePods from "./KubePods.ts"

/**
 * Selects the API server, and bounds the requests to it.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options extends KubeDiscovery.DiscoveryOptions, CallBounds {}

/** The header `User-Agent`: names the pod, for an administrator who looks for the source of requests. */
const userAgent = ({ self }: KubeConnection): string => {
  const who =
    self === undefined ? `${process.platform}; node ${process.versions.node}` : `pod ${self.namespace}/${self.name}`
  return `effect-flame/${manifest.version} (${who})`
}

/** A request that a process makes about itself, which every authenticated user may make. */
const review = <A>({ call }: Caller, group: string, kind: string, spec?: unknown): Effect.Effect<A, KubeError> =>
  call<A>({
    verb: "create",
    resource: `${kind.toLowerCase()}s`,
    method: "POST",
    path: `/apis/${group}/v1/${kind.toLowerCase()}s`,
    body: { apiVersion: `${group}/v1`, kind, ...(spec === undefined ? {} : { spec }) }
  })

/**
 * Finds the API server and makes a client of it, whose connections end with the scope.
 *
 * Nothing is sent yet: an API server that cannot be reached fails the first call. Fails with `KubeUnconfigured` if there is
 * neither a kubeconfig nor a service account.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (options?: Options) => Effect.Effect<KubeClient["Service"], KubeUnconfigured, Scope.Scope> =
  Effect.fnUntraced(function* (options: Options = {}) {
    const connection = yield* KubeDiscovery.make(options)
    const http = yield* KubeHttp.make(connection, { userAgent: userAgent(connection) })
    const caller = callerOf(http, options)
    const { call, once, requestTimeout, retry } = caller
    const { namespace, server } = connection
    const pods = KubePods.podsOf(namespace)
    const jobs = `/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/jobs`
    const removed = KubePods.remove(caller, namespace)

    return KubeClient.of({
      server,
      namespace,
      user: connection.user,
      self: connection.self,
      requests: http.counts,
      serverTime: http.serverTime,
      getPod: (name) => call(KubePods.getPod(namespace, name)),
      createPod: KubePods.createPod(caller, namespace),
      deletePod: (name, options) => Effect.asVoid(removed("pods", name, options)),
      listPods: (selector, { exact = false } = {}) => {
        const query = new URLSearchParams({ labelSelector: selector, ...(exact ? {} : { resourceVersion: "0" }) })
        return call<List<Pod>>({ verb: "list", resource: "pods", method: "GET", path: `${pods}?${query.toString()}` })
      },
      watchPods: KubePods.watchPods(caller, connection),
      events: (uid) => {
        const query = new URLSearchParams({ fieldSelector: `involvedObject.uid=${uid}` })
        const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events?${query.toString()}`
        return Effect.map(
          call<List<ClusterEvent>>({ verb: "list", resource: "events", method: "GET", path }),
          ({ items }) => items.toSorted((left, right) => timeOf(left) - timeOf(right))
        )
      },
      podLog: (name, container, lines) => {
        const query = new URLSearchParams({ container, tailLines: `${lines}` })
        const path = `${pods}/${encodeURIComponent(name)}/log?${query.toString()}`
        const request = { verb: "get", resource: "pods/log", method: "GET", path } as const
        return retry((left) => once(request, left))
      },
      createSecret: (secret) =>
        call({
          verb: "create",
          resource: "secrets",
          method: "POST",
          path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`,
          body: { apiVersion: "v1", kind: "Secret", ...secret }
        }),
      deleteSecret: (name, options) => removed("secrets", name, options),
      createJob: (job) =>
        call<Job>({
          verb: "create",
          resource: "jobs",
          method: "POST",
          path: jobs,
          body: { apiVersion: "batch/v1", kind: "Job", ...job }
        }),
      getJob: (name) =>
        call<Job>({ verb: "get", resource: "jobs", method: "GET", path: `${jobs}/${encodeURIComponent(name)}` }),
      extendJob: (name, uid, seconds) =>
        call<Job>({
          verb: "patch",
          resource: "jobs",
          method: "PATCH",
          path: `${jobs}/${encodeURIComponent(name)}`,
          // The uid in a patch is a precondition.
          body: { metadata: { uid }, spec: { ttlSecondsAfterFinished: seconds } }
        }).pipe(
          Effect.as(true),
          Effect.catchIf(
            ({ status }) => status === 404 || status === 409,
            () => Effect.succeed(false)
          )
        ),
      deleteJob: (name, options) => removed("jobs", name, options, jobs),
      rulesReview: Effect.map(
        review<RulesReview>(caller, "authorization.k8s.io", "SelfSubjectRulesReview", { namespace }),
        ({ status = {} }): Rules => ({ incomplete: status.incomplete ?? false, rules: status.resourceRules ?? [] })
      ),
      whoAmI: Effect.map(
        review<UserReview>(caller, "authentication.k8s.io", "SelfSubjectReview"),
        ({ status }) => status?.userInfo?.username ?? connection.user ?? ""
      ),
      portForward: (pod, port) =>
        retry((left) =>
          Effect.suspend(() => {
            http.count(KubeForward.asked)
            return KubeForward.open(connection, pod, port)
          }).pipe(KubeHttp.bounded(KubeForward.asked, server, Math.min(requestTimeout, left)))
        )
    })
  })

/**
 * The client of a real API server: that of a kubeconfig, or of the pod's service account.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { KubeClient, KubeClientLive } from "effect-flame/kubernetes"
 *
 * const rights = Effect.flatMap(KubeClient, (kube) => kube.rulesReview).pipe(
 *   Effect.provide(KubeClientLive.layer({ context: "staging" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<KubeClient, KubeUnconfigured> =>
  Layer.effect(KubeClient, make(options))

interface RulesReview {
  readonly status?: { readonly incomplete?: boolean; readonly resourceRules?: Rules["rules"] | null }
}

interface UserReview {
  readonly status?: { readonly userInfo?: { readonly username?: string } }
}

/** Milliseconds of an event. Its writer decides which of the three fields holds the time; the others are null. */
const timeOf = ({ eventTime, firstTimestamp, lastTimestamp }: ClusterEvent): number =>
  Date.parse(lastTimestamp || eventTime || firstTimestamp || "") || 0
