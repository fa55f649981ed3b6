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
import { KubeClient, type Rules } from "../kubernetes/api/KubeClient.ts"
import type { ClusterEvent, Job, Pod, Secret } from "../kubernetes/object/KubeObjects.ts"
import type { KubeError } from "../kubernetes/api/KubeError.ts"
import type { NeedsOf, Servable } from "../function/Servable.ts"
import * as HubPool from "../kubernetes/hub/HubPool.ts"
import { functionsOf, partOf } from "../runner/Serving.ts"
import { ApiCalls } from "./ApiCalls.ts"
import * as MockClient from "./MockClient.ts"
import { type Ending, MockCluster } from "./MockCluster.ts"
import { MockPrograms } from "./MockPrograms.ts"
import { boots, bootsAtOnce, type Script } from "./PodScript.ts"

export type { Ending } from "./MockCluster.ts"

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

const make = Effect.fnUntraced(function* <R>({
  functions = [],
  namespace = "default"
}: KubeMockOptions<ReadonlyArray<Servable>>) {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  yield* HubPool.mock
  const context = (yield* Effect.context<R>()) as Context.Context<never>
  const { served, services } = partOf(functions, undefined)
  const own = services === undefined ? Context.empty() : yield* Effect.orDie(Layer.build(services))
  const secrets = new Map<string, Secret>()
  const programs = new MockPrograms(yield* functionsOf(served), Context.merge(context, own), (name) =>
    secrets.get(name)
  )
  const script = functions.length === 0 ? boots : bootsAtOnce
  const cluster = new MockCluster({ namespace, scope, programs, secrets, script })
  const calls = new ApiCalls()
  const mock = KubeMock.of({
    pods: Effect.sync(() => cluster.store.list("").items),
    secrets: Effect.sync(() => [...secrets.values()]),
    jobs: Effect.sync(() => cluster.jobs.all),
    script: (script) =>
      Effect.sync(() => void (cluster.scriptOf = typeof script === "function" ? script : () => script)),
    ending: (next) => Effect.sync(() => void (cluster.ending = next)),
    play: (name, script) =>
      Effect.suspend(() => {
        const pod = cluster.store.get(name)
        return pod === undefined ? Effect.die(new Error(`there is no pod ${name}`)) : cluster.play(pod, script)
      }),
    put: (pod) =>
      Effect.sync(() =>
        cluster.putPod({ ...pod, metadata: { uid: cluster.store.nextUid(), namespace, ...pod.metadata } })
      ),
    remove: (name) => Effect.sync(() => cluster.removePod(name)),
    fail: (call, ...errors) => Effect.sync(() => calls.fail(call, errors)),
    cutWatches: (error) => Effect.sync(() => cluster.store.cut(error)),
    compact: Effect.sync(() => cluster.store.compact()),
    log: (name, text) => Effect.sync(() => void cluster.logs.set(name, (cluster.logs.get(name) ?? "") + text)),
    tell: (name, event) => cluster.tell(name, event),
    rules: (next) => Effect.sync(() => void (cluster.rules = next))
  })
  const client = MockClient.make(cluster, calls, () => clock.currentTimeMillisUnsafe())
  return Context.make(KubeMock, mock).pipe(Context.add(KubeClient, client))
})
