/** The requests about pods: creating them at most once, deleting and watching them. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { Pod, WatchEvent } from "../object/KubeObjects.ts"
import type { Caller } from "./KubeCaller.ts"
import { isSame, type DeleteOptions } from "./KubeClient.ts"
import type { KubeConnection } from "./KubeConnection.ts"
import { KubeError } from "./KubeError.ts"
import type * as KubeHttp from "./KubeHttp.ts"
import * as KubeLines from "./KubeLines.ts"
import * as KubePace from "./KubePace.ts"

/** Milliseconds without a byte after which a watch is dead. Bookmarks come every minute. */
const silence = 75_000

const maxLine = 8 * 1024 * 1024

/** The path of the pods of a namespace. */
export const podsOf = (namespace: string): string => `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`

/** The request for one pod. */
export const getPod = (namespace: string, name: string): KubeHttp.KubeRequest => ({
  verb: "get",
  resource: "pods",
  method: "GET",
  path: `${podsOf(namespace)}/${encodeURIComponent(name)}`
})

/** Creates a pod; a pod of that name that an earlier try created is the answer. */
export const createPod = ({ call, json, retry }: Caller, namespace: string) => {
  const pace = KubePace.make({ rate: 10, burst: 20 })
  return (pod: Pod, { dryRun = false } = {}): Effect.Effect<Pod, KubeError> => {
    const request = {
      verb: "create",
      resource: "pods",
      method: "POST",
      path: `${podsOf(namespace)}${dryRun ? "?dryRun=All&fieldValidation=Strict" : ""}`,
      body: { apiVersion: "v1", kind: "Pod", ...pod }
    } as const
    if (dryRun) return call<Pod>(request)
    const attempt = (left: number) =>
      Effect.andThen(pace.take, json<Pod>(request, left)).pipe(
        Effect.catchIf(
          (error) => error.reason === "AlreadyExists",
          (error) =>
            Effect.flatMap(json<Pod>(getPod(namespace, pod.metadata.name ?? ""), left), (there) =>
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
        retry((left) => Effect.tapError(attempt(left), unsure)),
        (error) => (mayBeDone ? new KubeError({ ...error, mayBeDone }) : error)
      )
    })
  }
}

/** Deletes an object; false if there is none of that name, or if it has another uid. */
export const remove =
  ({ call }: Caller, namespace: string) =>
  (
    resource: string,
    name: string,
    { gracePeriodSeconds, uid }: DeleteOptions = {},
    path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/${resource}`
  ): Effect.Effect<boolean, KubeError> =>
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

/** Watches the pods that a label selector selects. */
export const watchPods =
  ({ http, requestTimeout }: Caller, { namespace, server }: KubeConnection) =>
  (
    selector: string,
    resourceVersion: string,
    accepted: Effect.Effect<void> = Effect.void
  ): Stream.Stream<WatchEvent<Pod>, KubeError> =>
    Stream.unwrap(
      Effect.gen(function* () {
        // Random, because the watches of parents that started together must not end together.
        const seconds = yield* Random.nextIntBetween(240, 300)
        const query = new URLSearchParams({
          watch: "1",
          labelSelector: selector,
          resourceVersion,
          allowWatchBookmarks: "true",
          timeoutSeconds: `${seconds}`
        })
        const path = `${podsOf(namespace)}?${query.toString()}`
        const request = { verb: "watch", resource: "pods", method: "GET", path } as const
        const body = yield* http.open(request, requestTimeout)
        body.socket.setKeepAlive(true, 15_000)
        yield* accepted
        return KubeLines.json<WatchEvent<Pod>>(request, body, { server, silence, maxLine })
      })
    )
