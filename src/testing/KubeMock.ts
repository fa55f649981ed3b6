/**
 * A Kubernetes API server in memory: pods that live as they are scripted, calls that fail as they are told.
 *
 * Time is the test's clock, so that under `TestClock` nothing happens by itself.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { isSame, KubeClient, type DeleteOptions, type Rules } from "../kubernetes/api/KubeClient.ts"
import type { ClusterEvent, Pod, Secret } from "../kubernetes/object/KubeObjects.ts"
import { refused } from "../kubernetes/api/KubeAnswer.ts"
import type { KubeError } from "../kubernetes/api/KubeError.ts"
import { boots, type Ended, type Script, step, terminatedState } from "./PodScript.ts"
import { PodStore } from "./PodStore.ts"

/** What pods do when they are told to go. */
export interface Ending extends Ended {
  /** Milliseconds from SIGTERM to the end; never more than the grace, after which they are killed. */
  readonly after: number
}

/**
 * A Kubernetes API server in memory, as a test drives it; `KubeMock.layer` is it and the `KubeClient` for it.
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
 */
export class KubeMock extends Context.Service<
  KubeMock,
  {
    /** The pods that exist now. */
    readonly pods: Effect.Effect<ReadonlyArray<Pod>>
    /** The Secrets that exist now. */
    readonly secrets: Effect.Effect<ReadonlyArray<Secret>>
    /** What becomes of pods that are created from now on; `PodScript.boots` before it is called. */
    readonly script: (script: Script | ((pod: Pod) => Script)) => Effect.Effect<void>
    /** How pods end that are deleted from now on: with code 0 after 100 ms before it is called. */
    readonly ending: (ending: Ending) => Effect.Effect<void>
    /** Lets these steps happen to a pod that is there, beside its script. */
    readonly play: (name: string, script: Script) => Effect.Effect<void>
    /** Puts a pod there, or another in its place, that no script moves. */
    readonly put: (pod: Pod) => Effect.Effect<Pod>
    /** Takes a pod away at once, as a forced deletion does. */
    readonly remove: (name: string) => Effect.Effect<void>
    /**
     * Makes the next calls of a kind, such as `create pods` or `watch pods`, fail with these errors, one each: what the
     * real client would fail with once it has tried for long enough. It happens before anything is done.
     */
    readonly fail: (call: string, ...errors: ReadonlyArray<KubeError>) => Effect.Effect<void>
    /** Ends the watches that are open: by an error, or as a server does that has had enough. */
    readonly cutWatches: (error?: KubeError) => Effect.Effect<void>
    /** Forgets what was: a watch from an earlier resource version is told 410, now and later. */
    readonly compact: Effect.Effect<void>
    /** What the container of a pod has written. */
    readonly log: (name: string, text: string) => Effect.Effect<void>
    /** Tells something about a pod, as schedulers and kubelets do. */
    readonly tell: (name: string, event: ClusterEvent) => Effect.Effect<void>
    /** What the parent may do; everything before it is called. */
    readonly rules: (rules: Rules) => Effect.Effect<void>
  }
>()("effect-flame/testing/KubeMock") {
  /** The mock and the client for it; the namespace is `default` where none is given. */
  static layer(options: { readonly namespace?: string } = {}): Layer.Layer<KubeMock | KubeClient> {
    return Layer.effectContext(make(options))
  }
}

const everything: Rules = { incomplete: false, rules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }] }

const refusal = (verb: string, resource: string, code: number, reason: string, name: string, message: string) =>
  refused(
    { verb, resource },
    { status: code, retryAfter: undefined, body: JSON.stringify({ code, reason, message, details: { name } }) },
    0
  )

const notFound = (verb: string, resource: string, name: string) =>
  refusal(verb, resource, 404, "NotFound", name, `${resource} "${name}" not found`)

const exists = (resource: string, name: string) =>
  refusal("create", resource, 409, "AlreadyExists", name, `${resource} "${name}" already exists`)

const time = Effect.map(Clock.currentTimeMillis, (now) => new Date(now).toISOString())

const make = Effect.fnUntraced(function* ({ namespace = "default" }: { readonly namespace?: string }) {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const store = new PodStore()
  const secrets = new Map<string, Secret>()
  const logs = new Map<string, string>()
  const told: Array<ClusterEvent> = []
  const failures = new Map<string, Array<KubeError>>()
  const counts: Record<string, number> = {}
  /** Pods whose script is over: they were told to go. */
  const leaving = new Set<string>()
  let scriptOf = (_pod: Pod): Script => boots
  let ending: Ending = { after: 100, exitCode: 0 }
  let rules = everything

  const called = (verb: string, resource: string): Effect.Effect<void, KubeError> =>
    Effect.suspend(() => {
      const call = `${verb} ${resource}`
      counts[call] = (counts[call] ?? 0) + 1
      const error = failures.get(call)?.shift()
      return error === undefined ? Effect.void : Effect.fail(error)
    })

  const find = (verb: string, name: string): Effect.Effect<Pod, KubeError> =>
    Effect.suspend(() => {
      const pod = store.get(name)
      return pod === undefined ? Effect.fail(notFound(verb, "pods", name)) : Effect.succeed(pod)
    })

  const change = (uid: string, name: string, to: (pod: Pod, now: string) => Pod | undefined) =>
    Effect.map(time, (now) => {
      const pod = store.get(name)
      // its script goes on after it was deleted, and another may have its name by now
      if (pod === undefined || pod.metadata.uid !== uid) return
      const next = to(pod, now)
      if (next === undefined) store.remove(name)
      else if (next !== pod) store.put(next)
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
    yield* called("create", "pods")
    const name = pod.metadata.name ?? ""
    const there = store.get(name)
    if (there !== undefined) return isSame(pod, there) ? there : yield* exists("pods", name)
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

  /** A pod that was told to go ends as it was said, but within its grace, and is no more. */
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

  const deletePod = Effect.fnUntraced(function* (name: string, { gracePeriodSeconds, uid }: DeleteOptions = {}) {
    yield* called("delete", "pods")
    const pod = store.get(name)
    if (pod === undefined || (uid !== undefined && pod.metadata.uid !== uid)) return
    const grace = gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30
    const isOver = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed"
    // nobody has to be waited for
    if (grace === 0 || isOver || pod.spec.nodeName === undefined) return store.remove(name)
    if (leaving.has(pod.metadata.uid!)) return
    leaving.add(pod.metadata.uid!)
    const now = yield* Clock.currentTimeMillis
    const deletionTimestamp = new Date(now + grace * 1000).toISOString()
    const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace }
    yield* end(store.put({ ...pod, metadata }), grace * 1000)
  })

  const client = KubeClient.of({
    server: "https://mock",
    namespace,
    user: "mock",
    self: undefined,
    requests: () => ({ ...counts }),
    serverTime: () => clock.currentTimeMillisUnsafe(),
    getPod: (name) => Effect.andThen(called("get", "pods"), find("get", name)),
    createPod,
    deletePod,
    listPods: (selector) => Effect.map(called("list", "pods"), () => store.list(selector)),
    watchPods: (selector, resourceVersion) =>
      Stream.unwrap(Effect.map(called("watch", "pods"), () => store.watch(selector, resourceVersion))),
    events: (uid) =>
      Effect.map(called("list", "events"), () => told.filter(({ involvedObject }) => involvedObject?.uid === uid)),
    podLog: (name, _container, lines) =>
      Effect.andThen(called("get", "pods/log"), find("get", name)).pipe(
        Effect.map(() =>
          (logs.get(name) ?? "")
            .split(/(?<=\n)/)
            .slice(-lines)
            .join("")
        )
      ),
    createSecret: Effect.fnUntraced(function* (secret) {
      yield* called("create", "secrets")
      const name = secret.metadata.name ?? ""
      if (secrets.has(name)) return yield* exists("secrets", name)
      const metadata = { ...secret.metadata, namespace, uid: store.nextUid() }
      secrets.set(name, { ...secret, metadata })
      return { ...secret, metadata }
    }),
    deleteSecret: (name, { uid } = {}) =>
      Effect.map(called("delete", "secrets"), () => {
        const isOther = uid !== undefined && secrets.get(name)?.metadata.uid !== uid
        return !isOther && secrets.delete(name)
      }),
    rulesReview: Effect.map(called("create", "selfsubjectrulesreviews"), () => rules),
    portForward: (pod) =>
      Effect.andThen(called("create", "pods/portforward"), Effect.fail(notFound("create", "pods/portforward", pod)))
  })

  const mock = KubeMock.of({
    pods: Effect.sync(() => store.list("").items),
    secrets: Effect.sync(() => [...secrets.values()]),
    script: (script) => Effect.sync(() => void (scriptOf = typeof script === "function" ? script : () => script)),
    ending: (next) => Effect.sync(() => void (ending = next)),
    play: (name, script) =>
      Effect.suspend(() => {
        const pod = store.get(name)
        return pod === undefined ? Effect.die(new Error(`there is no pod ${name}`)) : play(pod, script)
      }),
    put: (pod) =>
      Effect.sync(() => store.put({ ...pod, metadata: { uid: store.nextUid(), namespace, ...pod.metadata } })),
    remove: (name) => Effect.sync(() => store.remove(name)),
    fail: (call, ...errors) => Effect.sync(() => void failures.set(call, [...(failures.get(call) ?? []), ...errors])),
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
