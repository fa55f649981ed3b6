/**
 * The `KubeClient` of the API server in memory. Each call is counted, and fails where a test has said so, before it reaches
 * the objects of `MockCluster.ts`.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { isSame, KubeClient } from "../kubernetes/api/KubeClient.ts"
import type { KubeError } from "../kubernetes/api/KubeError.ts"
import type { Pod } from "../kubernetes/object/KubeObjects.ts"
import type { ApiCalls } from "./ApiCalls.ts"
import { alreadyExists, notFound } from "./ApiErrors.ts"
import type { MockCluster } from "./MockCluster.ts"

export const make = (
  cluster: MockCluster,
  calls: ApiCalls,
  now: () => number
): Context.Service.Shape<typeof KubeClient> => {
  const { jobs, logs, namespace, programs, secrets, store } = cluster

  const find = (verb: string, name: string): Effect.Effect<Pod, KubeError> =>
    Effect.suspend(() => {
      const pod = store.get(name)
      return pod === undefined ? Effect.fail(notFound(`${verb} pods`, name)) : Effect.succeed(pod)
    })

  return KubeClient.of({
    server: "https://mock",
    namespace,
    user: "mock",
    self: undefined,
    requests: () => calls.counts,
    serverTime: now,
    getPod: (name) => Effect.andThen(calls.begin("get", "pods"), find("get", name)),
    createPod: Effect.fnUntraced(function* (pod, { dryRun = false } = {}) {
      yield* calls.begin("create", "pods")
      const name = pod.metadata.name ?? ""
      const there = store.get(name)
      if (there !== undefined) return isSame(pod, there) ? there : yield* alreadyExists("create pods", name)
      return yield* cluster.createPod(pod, dryRun)
    }),
    deletePod: (name, options) => Effect.andThen(calls.begin("delete", "pods"), cluster.deletePod(name, options)),
    listPods: (selector) => Effect.map(calls.begin("list", "pods"), () => store.list(selector)),
    watchPods: (selector, resourceVersion, accepted = Effect.void) =>
      Stream.unwrap(
        Effect.as(Effect.andThen(calls.begin("watch", "pods"), accepted), store.watch(selector, resourceVersion))
      ),
    events: (uid) =>
      Effect.map(calls.begin("list", "events"), () =>
        cluster.told.filter(({ involvedObject }) => involvedObject?.uid === uid)
      ),
    podLog: (name, _container, lines) =>
      Effect.andThen(calls.begin("get", "pods/log"), find("get", name)).pipe(
        Effect.map(() =>
          (logs.get(name) ?? "")
            .split(/(?<=\n)/)
            .slice(-lines)
            .join("")
        )
      ),
    createSecret: Effect.fnUntraced(function* (secret) {
      yield* calls.begin("create", "secrets")
      const name = secret.metadata.name ?? ""
      if (secrets.has(name)) return yield* alreadyExists("create secrets", name)
      const metadata = { ...secret.metadata, namespace, uid: store.nextUid() }
      secrets.set(name, { ...secret, metadata })
      return { ...secret, metadata }
    }),
    deleteSecret: (name, { uid } = {}) =>
      Effect.map(calls.begin("delete", "secrets"), () => {
        const isOther = uid !== undefined && secrets.get(name)?.metadata.uid !== uid
        return !isOther && secrets.delete(name)
      }),
    createJob: Effect.fnUntraced(function* (job) {
      yield* calls.begin("create", "jobs")
      const name = job.metadata.name ?? ""
      if (jobs.get(name) !== undefined) return yield* alreadyExists("create jobs", name)
      return yield* cluster.createJob(job)
    }),
    getJob: (name) =>
      Effect.andThen(
        calls.begin("get", "jobs"),
        Effect.suspend(() => {
          const job = jobs.get(name)
          return job === undefined ? Effect.fail(notFound("get jobs", name)) : Effect.succeed(job)
        })
      ),
    extendJob: (name, uid, seconds) => Effect.map(calls.begin("patch", "jobs"), () => jobs.extend(name, uid, seconds)),
    deleteJob: (name, { uid } = {}) =>
      Effect.gen(function* () {
        yield* calls.begin("delete", "jobs")
        const owner = jobs.get(name)?.metadata.uid
        const isRemoved = jobs.remove(name, uid)
        if (isRemoved && owner !== undefined) yield* cluster.collect(owner)
        return isRemoved
      }),
    rulesReview: Effect.map(calls.begin("create", "selfsubjectrulesreviews"), () => cluster.rules),
    whoAmI: Effect.as(calls.begin("create", "selfsubjectreviews"), "mock"),
    portForward: (pod) =>
      Effect.andThen(
        calls.begin("create", "pods/portforward"),
        Effect.suspend(() => {
          const opened = programs.connectTo(store.get(pod)?.metadata.uid ?? "")
          return opened === undefined
            ? Effect.fail(notFound("create pods/portforward", pod))
            : Effect.acquireRelease(opened, (duplex) => Effect.sync(() => duplex.destroy()))
        })
      )
  })
}
