/**
 * A Kubernetes API server in memory, for tests: pods live by a script, calls fail on demand, and the runners in the pods can
 * serve functions.
 *
 * All time is the clock of the test: under `TestClock` nothing happens before the test moves it.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { isSame, KubeClient, type DeleteOptions, type Rules } from "../kubernetes/api/KubeClient.ts"
import type { ClusterEvent, Job, Pod, Secret } from "../kubernetes/object/KubeObjects.ts"
import { ApiCalls } from "./ApiCalls.ts"
import { alreadyExists, notFound } from "./ApiErrors.ts"
import type { KubeError } from "../kubernetes/api/KubeError.ts"
import type { NeedsOf, Servable } from "../function/Servable.ts"
import * as HubPool from "../kubernetes/hub/HubPool.ts"
import { runnerOf } from "../kubernetes/verdict/PodFacts.ts"
import { functionsOf, partOf } from "../runner/Serving.ts"
import { isOwnedBy, JobStore } from "./JobStore.ts"
import { MockPrograms } from "./MockPrograms.ts"
import {
  boots,
  bootsAtOnce,
  type Ended,
  finished,
  type Script,
  step,
  terminated,
  terminatedState
} from "./PodScript.ts"
import { PodStore } from "./PodStore.ts"

/**
 * The end of a deleted pod.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ending extends Ended {
  /** Milliseconds from SIGTERM to the end of the containers. A pod is killed at the end of its grace. */
  readonly after: number
}

/**
 * Options of `KubeMock.layer`.
 *
 * @category models
 * @since 0.1.0
 */
export interface KubeMockOptions<Fs extends ReadonlyArray<Servable>> {
  /** The namespace of everything. Default `default`. */
  readonly namespace?: string
  /**
   * The functions that runners serve, in this process. Default none: then a pod runs and never connects. Their services are
   * requirements of the layer.
   */
  readonly functions?: Fs
}

/**
 * Drives a Kubernetes API server in memory. `KubeMock.layer` provides it together with the `KubeClient` that reaches it.
 *
 * A layer of Kubernetes runners takes its `KubeClient` from `Layer.provide` or `Layer.provideMerge`. While a `KubeMock`
 * exists in the process, no layer can reach a real cluster: a layer that was merged with the mock instead fails.
 *
 * ```ts
 * import { assert, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { TestClock } from "effect/testing"
 * import { ApiErrors, KubeClient, KubeMock, PodScript } from "effect-flame/testing"
 *
 * it.effect("sees a pod killed for its memory", () =>
 *   Effect.gen(function*() {
 *     const kube = yield* KubeClient
 *     const mock = yield* KubeMock
 *     yield* mock.script([...PodScript.boots, PodScript.terminated("1 minute", { exitCode: 137, reason: "OOMKilled" })])
 *     yield* mock.fail("create pods", ApiErrors.quotaExceeded())
 *     const pod = { metadata: { name: "a" }, spec: { containers: [{ name: "main" }] } }
 *     assert.strictEqual((yield* Effect.flip(kube.createPod(pod))).status, 403)
 *     yield* kube.createPod(pod)
 *     yield* TestClock.adjust("2 minutes")
 *     const [status] = (yield* kube.getPod("a")).status?.containerStatuses ?? []
 *     assert.strictEqual(status?.state?.terminated?.reason, "OOMKilled")
 *     assert.deepInclude(kube.requests(), { "create pods": 2, "get pods": 1 })
 *   }).pipe(Effect.provide(KubeMock.layer())))
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export class KubeMock extends Context.Service<
  KubeMock,
  {
    /** All pods that exist now. */
    readonly pods: Effect.Effect<ReadonlyArray<Pod>>
    /** All Secrets that exist now. */
    readonly secrets: Effect.Effect<ReadonlyArray<Secret>>
    /** All Jobs that exist now. Each is finished, and owns the pods and Secrets of one parent. */
    readonly jobs: Effect.Effect<ReadonlyArray<Job>>
    /** Sets the life of pods that are created from now on. Default `PodScript.boots`, or `bootsAtOnce` with `functions`. */
    readonly script: (script: Script | ((pod: Pod) => Script)) => Effect.Effect<void>
    /**
     * Sets how pods end that are deleted from now on. Default: at once, with exit code 0, so that a test ends under
     * `TestClock` although nothing moves the clock any more.
     */
    readonly ending: (ending: Ending) => Effect.Effect<void>
    /** Plays more steps on a pod that exists, beside its script. Dies if there is no such pod. */
    readonly play: (name: string, script: Script) => Effect.Effect<void>
    /** Stores a pod that no script moves, in place of another one of its name. */
    readonly put: (pod: Pod) => Effect.Effect<Pod>
    /** Deletes a pod at once, as a forced deletion does. */
    readonly remove: (name: string) => Effect.Effect<void>
    /**
     * Makes the next calls of a kind, such as `create pods` or `watch pods`, fail with these errors, one each. They
     * are the errors with which the real client fails after its retries. A failed call changes nothing.
     */
    readonly fail: (call: string, ...errors: ReadonlyArray<KubeError>) => Effect.Effect<void>
    /** Ends all open watches, with an error or as a server does after its time limit. */
    readonly cutWatches: (error?: KubeError) => Effect.Effect<void>
    /** Forgets the history of pods: watches from an earlier resource version fail with 410, now and later. */
    readonly compact: Effect.Effect<void>
    /** Appends text to the log of a pod. */
    readonly log: (name: string, text: string) => Effect.Effect<void>
    /** Records an event about a pod, as schedulers and kubelets do. */
    readonly tell: (name: string, event: ClusterEvent) => Effect.Effect<void>
    /** Sets the rights of the parent. Default: all. */
    readonly rules: (rules: Rules) => Effect.Effect<void>
  }
>()("effect-flame/testing/KubeMock") {
  /**
   * The mock, and the `KubeClient` that reaches it.
   *
   * ```ts
   * import { assert, it } from "@effect/vitest"
   * import { Effect, Layer, Schema } from "effect"
   * import { Flame, FlameLayer } from "effect-flame"
   * import { KubeMock } from "effect-flame/testing"
   *
   * const add = Flame.fn("add", { payload: { a: Schema.Int, b: Schema.Int }, success: Schema.Int }, ({ a, b }) =>
   *   Effect.succeed(a + b)
   * )
   *
   * it.effect("adds on a pod", () =>
   *   Effect.gen(function*() {
   *     assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
   *   }).pipe(
   *     Effect.provide(
   *       FlameLayer.kubernetes({ image: "app:1", max: 1 }).pipe(Layer.provide(KubeMock.layer({ functions: [add] })))
   *     )
   *   ))
   * ```
   *
   * @since 0.1.0
   */
  static layer<const Fs extends ReadonlyArray<Servable> = []>(
    options: KubeMockOptions<Fs> = {}
  ): Layer.Layer<KubeMock | KubeClient, never, NeedsOf<Fs[number]>> {
    return Layer.effectContext(make<NeedsOf<Fs[number]>>(options))
  }
}

const everything: Rules = { incomplete: false, rules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }] }

const time = Effect.map(Clock.currentTimeMillis, (now) => new Date(now).toISOString())

const make = Effect.fnUntraced(function* <R>({
  functions = [],
  namespace = "default"
}: KubeMockOptions<ReadonlyArray<Servable>>) {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  yield* HubPool.mock
  const jobs = new JobStore()
  const context = (yield* Effect.context<R>()) as Context.Context<never>
  const { served, services } = partOf(functions, undefined)
  const own = services === undefined ? Context.empty() : yield* Effect.orDie(Layer.build(services))
  const all = Context.merge(context, own)
  const programs = new MockPrograms(yield* functionsOf(served), all, (name) => secrets.get(name))
  const store = new PodStore()
  const secrets = new Map<string, Secret>()
  const logs = new Map<string, string>()
  const told: Array<ClusterEvent> = []
  const calls = new ApiCalls()
  /** Uids of pods that were deleted and have not ended: their scripts are over. */
  const leaving = new Set<string>()
  let scriptOf = (_pod: Pod): Script => (functions.length === 0 ? boots : bootsAtOnce)
  let ending: Ending = { after: 0, exitCode: 0 }
  let rules = everything

  const find = (verb: string, name: string): Effect.Effect<Pod, KubeError> =>
    Effect.suspend(() => {
      const pod = store.get(name)
      return pod === undefined ? Effect.fail(notFound(`${verb} pods`, name)) : Effect.succeed(pod)
    })

  const change = (uid: string, name: string, to: (pod: Pod, now: string) => Pod | undefined) =>
    Effect.map(time, (now) => {
      const pod = store.get(name)
      // A script goes on after its pod was deleted, when another pod may have the name.
      if (pod === undefined || pod.metadata.uid !== uid) return
      const next = to(pod, now)
      if (next === undefined) removePod(name)
      else if (next !== pod) putPod(next)
    })

  const removePod = (name: string): void => {
    const uid = store.get(name)?.metadata.uid
    store.remove(name)
    if (uid !== undefined) programs.kill(uid)
  }

  /** Stores a pod. Its program starts and ends with its container. */
  const putPod = (pod: Pod): Pod => {
    const stored = store.put(pod)
    const { name = "", uid = "" } = stored.metadata
    const state = runnerOf(stored)?.state
    if (state?.running !== undefined) {
      programs.start(stored, play(stored, [terminated(0, { exitCode: 0 }), finished(0)]))
    } else if (state?.terminated !== undefined) programs.kill(uid)
    return store.get(name) ?? stored
  }

  /** Deletes the objects that the object with that uid owns, as the garbage collector does. */
  const collect = (uid: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      for (const [name, { metadata }] of secrets) if (isOwnedBy(metadata, uid)) secrets.delete(name)
      const owned = store.list("").items.filter(({ metadata }) => isOwnedBy(metadata, uid))
      return Effect.forEach(owned, ({ metadata }) => destroyPod(metadata.name ?? ""), { discard: true })
    })

  /** Deletes a Job at the end of its time, which may be extended meanwhile. */
  const expire = (name: string, uid: string): Effect.Effect<void> =>
    Effect.gen(function* () {
      for (;;) {
        const left = jobs.leftOf(name, uid, yield* Clock.currentTimeMillis)
        if (left === undefined) return
        if (left > 0) yield* Effect.sleep(left)
        else if (jobs.remove(name, uid)) return yield* collect(uid)
      }
    })

  const play = (pod: Pod, script: Script): Effect.Effect<void> =>
    Effect.forEach(
      script,
      ({ after, change: to }) => Effect.andThen(Effect.sleep(after), change(pod.metadata.uid!, pod.metadata.name!, to)),
      {
        discard: true
      }
    ).pipe(Effect.forkIn(scope, { startImmediately: true }), Effect.asVoid)

  const createPod = Effect.fnUntraced(function* (pod: Pod, { dryRun = false }: { readonly dryRun?: boolean } = {}) {
    yield* calls.begin("create", "pods")
    const name = pod.metadata.name ?? ""
    const there = store.get(name)
    if (there !== undefined) return isSame(pod, there) ? there : yield* alreadyExists("create pods", name)
    const creationTimestamp = yield* time
    const metadata = { ...pod.metadata, namespace, uid: store.nextUid(), creationTimestamp }
    const created: Pod = { ...pod, metadata, status: { phase: "Pending" } }
    if (dryRun) return created
    const stored = store.put(created)
    const script = scriptOf(stored).map(({ after, change }) =>
      step(after, (pod, now) => (leaving.has(pod.metadata.uid!) ? pod : change(pod, now)))
    )
    yield* play(stored, script)
    return stored
  })

  /** Ends a deleted pod by `ending`, at the latest after its grace, and removes it. */
  const end = (pod: Pod, graceMillis: number): Effect.Effect<void> => {
    const killed: Ended = { exitCode: 137, reason: "Error" }
    const how = ending.after <= graceMillis ? ending : killed
    return play(pod, [
      {
        after: Math.min(ending.after, graceMillis),
        change: (pod, now) => ({
          ...pod,
          status: {
            ...pod.status,
            phase: how.exitCode === 0 ? "Succeeded" : "Failed",
            containerStatuses: pod.spec.containers.map(({ name }) => ({ name, state: terminatedState(how, pod, now) }))
          }
        })
      },
      { after: 0, change: () => undefined }
    ])
  }

  const deletePod = (name: string, options?: DeleteOptions) =>
    Effect.andThen(calls.begin("delete", "pods"), destroyPod(name, options))

  const destroyPod = Effect.fnUntraced(function* (name: string, { gracePeriodSeconds, uid }: DeleteOptions = {}) {
    const pod = store.get(name)
    if (pod === undefined || (uid !== undefined && pod.metadata.uid !== uid)) return
    const grace = gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30
    const isOver = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed"
    // No container runs that would have to end first.
    if (grace === 0 || isOver || pod.spec.nodeName === undefined) return removePod(name)
    if (leaving.has(pod.metadata.uid!)) return
    leaving.add(pod.metadata.uid!)
    const now = yield* Clock.currentTimeMillis
    const deletionTimestamp = new Date(now + grace * 1000).toISOString()
    const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace }
    const stored = putPod({ ...pod, metadata })
    programs.terminate(pod.metadata.uid!)
    yield* end(stored, grace * 1000)
  })

  const client = KubeClient.of({
    server: "https://mock",
    namespace,
    user: "mock",
    self: undefined,
    requests: () => calls.counts,
    serverTime: () => clock.currentTimeMillisUnsafe(),
    getPod: (name) => Effect.andThen(calls.begin("get", "pods"), find("get", name)),
    createPod,
    deletePod,
    listPods: (selector) => Effect.map(calls.begin("list", "pods"), () => store.list(selector)),
    watchPods: (selector, resourceVersion, accepted = Effect.void) =>
      Stream.unwrap(
        Effect.as(Effect.andThen(calls.begin("watch", "pods"), accepted), store.watch(selector, resourceVersion))
      ),
    events: (uid) =>
      Effect.map(calls.begin("list", "events"), () => told.filter(({ involvedObject }) => involvedObject?.uid === uid)),
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
      const uid = store.nextUid()
      const made = jobs.create(
        { ...job, metadata: { ...job.metadata, namespace, uid } },
        yield* Clock.currentTimeMillis
      )
      yield* Effect.forkIn(expire(name, uid), scope)
      return made
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
        if (isRemoved && owner !== undefined) yield* collect(owner)
        return isRemoved
      }),
    rulesReview: Effect.map(calls.begin("create", "selfsubjectrulesreviews"), () => rules),
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

  const mock = KubeMock.of({
    pods: Effect.sync(() => store.list("").items),
    secrets: Effect.sync(() => [...secrets.values()]),
    jobs: Effect.sync(() => jobs.all),
    script: (script) => Effect.sync(() => void (scriptOf = typeof script === "function" ? script : () => script)),
    ending: (next) => Effect.sync(() => void (ending = next)),
    play: (name, script) =>
      Effect.suspend(() => {
        const pod = store.get(name)
        return pod === undefined ? Effect.die(new Error(`there is no pod ${name}`)) : play(pod, script)
      }),
    put: (pod) => Effect.sync(() => putPod({ ...pod, metadata: { uid: store.nextUid(), namespace, ...pod.metadata } })),
    remove: (name) => Effect.sync(() => removePod(name)),
    fail: (call, ...errors) => Effect.sync(() => calls.fail(call, errors)),
    cutWatches: (error) => Effect.sync(() => store.cut(error)),
    compact: Effect.sync(() => store.compact()),
    log: (name, text) => Effect.sync(() => void logs.set(name, (logs.get(name) ?? "") + text)),
    tell: (name, event) =>
      Effect.map(time, (now) => {
        const uid = store.get(name)?.metadata.uid
        told.push({ lastTimestamp: now, involvedObject: uid === undefined ? { name } : { name, uid }, ...event })
      }),
    rules: (next) => Effect.sync(() => void (rules = next))
  })
  return Context.make(KubeMock, mock).pipe(Context.add(KubeClient, client))
})
