/** The calls to a real API server, over our own HTTP: a client library costs a connection per request, and 85 MiB. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ClusterEvent, Job, List, Pod, WatchEvent } from "../object/KubeObjects.ts"
import { noAnswer } from "./KubeAnswer.ts"
import { isSame, KubeClient, type DeleteOptions, type Rules } from "./KubeClient.ts"
import type { KubeConnection } from "./KubeConnection.ts"
import * as KubeDiscovery from "./KubeDiscovery.ts"
import { KubeError, type KubeUnconfigured } from "./KubeError.ts"
import * as KubeForward from "./KubeForward.ts"
import * as KubeHttp from "./KubeHttp.ts"
import * as KubeLines from "./KubeLines.ts"
import * as KubePace from "./KubePace.ts"
import { retrying } from "./KubeRetry.ts"

/** Where the API server is, and how long to try. */
export interface Options extends KubeDiscovery.Options {
  /** How long one request may take; 15 s where not given. */
  readonly requestTimeout?: Duration.Input
  /** How long a call is tried; 30 s where not given. */
  readonly retryFor?: Duration.Input
}

/** Bookmarks come every minute; what is silent for longer is a connection that is dead without a word. */
const silence = 75_000

const maxLine = 8 * 1024 * 1024

const version = "0.0.0"

/** What `User-Agent` says: an administrator who looks for the source of requests wants to know the pod. */
const userAgent = ({ self }: KubeConnection): string => {
  const who =
    self === undefined ? `${process.platform}; node ${process.versions.node}` : `pod ${self.namespace}/${self.name}`
  return `effect-flame/${version} (${who})`
}

/** Finds the API server; its connections end with the scope. */
export const make: (options?: Options) => Effect.Effect<KubeClient["Service"], KubeUnconfigured, Scope.Scope> =
  Effect.fnUntraced(function* (options: Options = {}) {
    const connection = yield* KubeDiscovery.make(options)
    const http = yield* KubeHttp.make(connection, { userAgent: userAgent(connection) })
    const requestTimeout = Duration.toMillis(options.requestTimeout ?? Duration.seconds(15))
    const total = Duration.toMillis(options.retryFor ?? Duration.seconds(30))
    const creates = KubePace.make({ rate: 10, burst: 20 })

    const { namespace, server } = connection
    const within = `/api/v1/namespaces/${encodeURIComponent(namespace)}`

    const once = (request: KubeHttp.KubeRequest, left: number): Effect.Effect<string, KubeError> =>
      http.text(request, Math.min(requestTimeout, left))

    const parse = <A>(request: KubeHttp.KubeRequest, body: string): Effect.Effect<A, KubeError> =>
      Effect.try({
        try: () => JSON.parse(body) as A,
        catch: () => noAnswer(request, "Garbled", `the answer is not JSON: ${body.slice(0, 100)}`, true)
      })

    const json = <A>(request: KubeHttp.KubeRequest, left: number): Effect.Effect<A, KubeError> =>
      Effect.flatMap(once(request, left), (body) => parse<A>(request, body))

    const call = <A>(request: KubeHttp.KubeRequest): Effect.Effect<A, KubeError> =>
      retrying(total, (left) => json<A>(request, left))

    const get = (name: string): KubeHttp.KubeRequest => ({
      verb: "get",
      resource: "pods",
      method: "GET",
      path: `${within}/pods/${encodeURIComponent(name)}`
    })

    const createPod = (pod: Pod, { dryRun = false } = {}): Effect.Effect<Pod, KubeError> => {
      const query = dryRun ? "?dryRun=All&fieldValidation=Strict" : ""
      const body = { apiVersion: "v1", kind: "Pod", ...pod }
      const request = {
        verb: "create",
        resource: "pods",
        method: "POST",
        path: `${within}/pods${query}`,
        body
      } as const
      if (dryRun) return call<Pod>(request)
      const attempt = (left: number) =>
        Effect.andThen(creates.take, json<Pod>(request, left)).pipe(
          Effect.catchIf(
            (error) => error.reason === "AlreadyExists",
            (error) =>
              // our own try of before may have got through without our hearing of it
              Effect.flatMap(json<Pod>(get(pod.metadata.name ?? ""), left), (there) =>
                isSame(pod, there) ? Effect.succeed(there) : Effect.fail(error)
              )
          )
        )
      return Effect.suspend(() => {
        let mayBeDone = false
        const unsure = (error: KubeError) =>
          Effect.sync(() => {
            mayBeDone ||= !error.isRefusal
          })
        return Effect.mapError(
          retrying(total, (left) => Effect.tapError(attempt(left), unsure)),
          (error) => (mayBeDone ? new KubeError({ ...error, mayBeDone }) : error)
        )
      })
    }

    const jobs = `/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/jobs`

    const remove = (
      resource: string,
      name: string,
      { gracePeriodSeconds, uid }: DeleteOptions = {},
      path = `${within}/${resource}`
    ) =>
      call<unknown>({
        verb: "delete",
        resource,
        method: "DELETE",
        path: `${path}/${encodeURIComponent(name)}`,
        body: {
          apiVersion: "v1",
          kind: "DeleteOptions",
          ...(resource === "jobs" ? { propagationPolicy: "Background" } : {}),
          ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
          ...(uid === undefined ? {} : { preconditions: { uid } })
        }
      }).pipe(
        Effect.as(true),
        Effect.catchIf(
          ({ detail, status }) => status === 404 || (status === 409 && detail.includes("UID in the precondition")),
          () => Effect.succeed(false)
        )
      )

    const watchPods = (selector: string, resourceVersion: string): Stream.Stream<WatchEvent<Pod>, KubeError> =>
      Stream.unwrap(
        Effect.gen(function* () {
          // parents that started together must not come back together
          const seconds = yield* Random.nextIntBetween(240, 300)
          const query = new URLSearchParams({
            watch: "1",
            labelSelector: selector,
            resourceVersion,
            allowWatchBookmarks: "true",
            timeoutSeconds: `${seconds}`
          })
          const path = `${within}/pods?${query.toString()}`
          const request = { verb: "watch", resource: "pods", method: "GET", path } as const
          const body = yield* http.open(request, requestTimeout)
          body.socket.setKeepAlive(true, 15_000)
          return KubeLines.json<WatchEvent<Pod>>(request, body, { server, silence, maxLine })
        })
      )

    return KubeClient.of({
      server,
      namespace,
      user: connection.user,
      self: connection.self,
      requests: http.counts,
      serverTime: http.serverTime,
      getPod: (name) => call(get(name)),
      createPod,
      deletePod: (name, options) => Effect.asVoid(remove("pods", name, options)),
      listPods: (selector, { exact = false } = {}) => {
        const query = new URLSearchParams({ labelSelector: selector, ...(exact ? {} : { resourceVersion: "0" }) })
        return call<List<Pod>>({
          verb: "list",
          resource: "pods",
          method: "GET",
          path: `${within}/pods?${query.toString()}`
        })
      },
      watchPods,
      events: (uid) => {
        const query = new URLSearchParams({ fieldSelector: `involvedObject.uid=${uid}` })
        const path = `${within}/events?${query.toString()}`
        return Effect.map(
          call<List<ClusterEvent>>({ verb: "list", resource: "events", method: "GET", path }),
          ({ items }) => items.toSorted((left, right) => timeOf(left) - timeOf(right))
        )
      },
      podLog: (name, container, lines) => {
        const query = new URLSearchParams({ container, tailLines: `${lines}` })
        const path = `${within}/pods/${encodeURIComponent(name)}/log?${query.toString()}`
        const request = { verb: "get", resource: "pods/log", method: "GET", path } as const
        return retrying(total, (left) => once(request, left))
      },
      createSecret: (secret) =>
        call({
          verb: "create",
          resource: "secrets",
          method: "POST",
          path: `${within}/secrets`,
          body: { apiVersion: "v1", kind: "Secret", ...secret }
        }),
      deleteSecret: (name, options) => remove("secrets", name, options),
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
      deleteJob: (name, options) => remove("jobs", name, options, jobs),
      rulesReview: Effect.map(
        call<Review>({
          verb: "create",
          resource: "selfsubjectrulesreviews",
          method: "POST",
          path: "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
          body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } }
        }),
        ({ status = {} }): Rules => ({ incomplete: status.incomplete ?? false, rules: status.resourceRules ?? [] })
      ),
      portForward: (pod, port) =>
        retrying(total, (left) =>
          Effect.suspend(() => {
            http.count(KubeForward.asked)
            return KubeForward.open(connection, pod, port)
          }).pipe(KubeHttp.bounded(KubeForward.asked, server, Math.min(requestTimeout, left)))
        )
    })
  })

/** The real API server: that of the pod's service account, or of a kubeconfig. */
export const layer = (options?: Options): Layer.Layer<KubeClient, KubeUnconfigured> =>
  Layer.effect(KubeClient, make(options))

interface Review {
  readonly status?: { readonly incomplete?: boolean; readonly resourceRules?: Rules["rules"] | null }
}

/** Which of its three times an event has, depends on who wrote it; the others are null. */
const timeOf = ({ eventTime, firstTimestamp, lastTimestamp }: ClusterEvent): number =>
  Date.parse(lastTimestamp || eventTime || firstTimestamp || "") || 0
