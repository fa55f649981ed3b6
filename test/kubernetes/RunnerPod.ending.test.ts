import { assert, describe, it } from "@effect/vitest"
import * as Net from "node:net"
import { Effect, Exit, Fiber, Logger, Queue, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { BootPhase } from "../../src/backend/Backend.ts"
import { InvalidSpec } from "../../src/error/BootFailure.ts"
import { refused } from "../../src/kubernetes/api/KubeAnswer.ts"
import * as KubeHub from "../../src/kubernetes/hub/KubeHub.ts"
import { KubeClient } from "../../src/kubernetes/api/KubeClient.ts"
import type { KubeError } from "../../src/kubernetes/api/KubeError.ts"
import * as PodTemplate from "../../src/kubernetes/template/PodTemplate.ts"
import { RunnerPod } from "../../src/kubernetes/RunnerPod.ts"
import * as ApiErrors from "../../src/testing/ApiErrors.ts"
import { KubeMock } from "../../src/testing/KubeMock.ts"
import * as PodScript from "../../src/testing/PodScript.ts"
import type { Transport } from "../../src/wire/Transport.ts"
import * as PodParent from "./kit/PodParent.ts"

const theOnly = Effect.gen(function* () {
  const [pod] = yield* (yield* KubeMock).pods
  return pod ?? assert.fail("there is no pod")
})

/** A runner that has dialled back. */
const connected = Effect.gen(function* () {
  const backend = yield* PodParent.make()
  const runner = yield* PodParent.launch(backend)
  yield* TestClock.adjust("1 second")
  const pod = yield* theOnly
  const connecting = yield* Effect.forkChild(runner.process.connection)
  const there = yield* PodParent.dialBack(pod)
  return { ...runner, name: pod.metadata.name!, there, here: yield* Fiber.join(connecting) }
})

/** Runs a test with a parent whose end waits for pods whose end is never reported. */
const unheard = <A, E, R>(body: (runner: Effect.Success<typeof connected>) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const parent = yield* Scope.make()
    yield* body(yield* Scope.provide(connected, parent))
    const ending = yield* Effect.forkChild(Scope.close(parent, Exit.void))
    yield* TestClock.adjust("10 seconds")
    yield* Fiber.join(ending)
  }).pipe(Effect.provide(PodParent.cluster(() => ({ deletePod: () => Effect.void }))))

const gatewayTimeout = refused(
  { verb: "create", resource: "pods" },
  { status: 504, retryAfter: undefined, body: "upstream request timeout" },
  0
)

const closed = (transport: Transport) =>
  Effect.callback<void>((resume) =>
    transport.start({ data: () => {}, drained: () => {}, closed: () => resume(Effect.void) })
  )

const warnings = () => {
  const texts: Array<string> = []
  const logger = Logger.make(({ message }) => void texts.push(String(message)))
  return { texts, layer: Logger.layer([logger]) }
}

describe("the end of a runner pod", () => {
  it.effect("is immediate for a killed runner, and does not wait for an API server in an outage", () =>
    Effect.gen(function* () {
      const parent = yield* Scope.make()
      const { process, scope, there } = yield* Scope.provide(connected, parent)
      const killing = yield* Effect.forkChild(process.kill("stuck call f"))
      yield* TestClock.adjust(0)
      assert.isDefined(killing.pollUnsafe())
      // The session is over, and less than one second has passed.
      yield* closed(there)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("3 seconds")
      assert.isDefined(closing.pollUnsafe())
      // The parent's own end waits for the pods that it knows, for a while.
      const ending = yield* Effect.forkChild(Scope.close(parent, Exit.void))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(ending)
    }).pipe(Effect.provide(PodParent.cluster(() => ({ deletePod: () => Effect.never }))))
  )

  it.effect("is not proven by the removal of a pod whose program was never seen to run", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* mock.script([])
      const { name, process } = yield* connected
      yield* mock.remove(name)
      yield* TestClock.adjust(0)
      const { gone, reason } = yield* process.exit
      assert.deepStrictEqual([gone, reason._tag], [false, "Deleted"])
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("needs no request if somebody else deleted the pod, and delays nothing afterwards", () => {
    const { layer, texts } = warnings()
    return Effect.gen(function* () {
      const mock = yield* KubeMock
      const kube = yield* KubeClient
      const parent = yield* Scope.make()
      const { name, process, scope } = yield* Scope.provide(connected, parent)
      yield* mock.remove(name)
      yield* process.exit
      yield* Scope.close(scope, Exit.void)
      assert.isUndefined(kube.requests()["delete pods"])
      yield* Scope.close(parent, Exit.void)
      assert.deepStrictEqual(
        texts.filter((text) => text.includes(name)),
        []
      )
    }).pipe(Effect.provide(PodParent.cluster()), Effect.provide(layer))
  })

  it.effect("is assumed after the longest time that the pod may take, if nothing reports the end", () =>
    unheard(
      Effect.fnUntraced(function* ({ here, scope, there }) {
        const over = yield* Effect.forkChild(closed(here), { startImmediately: true })
        there.destroy()
        yield* Fiber.join(over)
        // The time that the pool waits for the reason.
        yield* TestClock.adjust("8 seconds")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("3900 millis")
        assert.isUndefined(closing.pollUnsafe())
        yield* TestClock.adjust("100 millis")
        assert.isDefined(closing.pollUnsafe())
      })
    )
  )

  it.effect(
    "leaves the finalizers the whole grace when the session broke, because the runner may notice that later",
    () =>
      Effect.gen(function* () {
        const { here, scope } = yield* connected
        yield* (yield* KubeMock).ending({ after: 60_000, exitCode: 0 })
        const over = yield* Effect.forkChild(closed(here), { startImmediately: true })
        // The kernel reports this error when keepalives are not answered.
        here.destroy(new Error("read ETIMEDOUT"))
        yield* Fiber.join(over)
        // The time that the pool waits for the reason.
        yield* TestClock.adjust("8 seconds")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* TestClock.adjust(0)
        assert.strictEqual((yield* theOnly).metadata.deletionGracePeriodSeconds, 6)
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(closing)
      }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("is not awaited on a node that is known to be silent", () =>
    unheard(
      Effect.fnUntraced(function* ({ name, process, scope }) {
        const silent = { type: "Ready", status: "False", reason: "NodeNotReady" }
        yield* (yield* KubeMock).play(name, [
          PodScript.step(0, (pod) => ({
            ...pod,
            status: { ...pod.status, reason: "NodeLost", conditions: [silent] }
          }))
        ])
        yield* TestClock.adjust(0)
        yield* process.leaving!
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* TestClock.adjust(0)
        assert.isDefined(closing.pollUnsafe())
        assert.strictEqual((yield* process.exit).reason._tag, "NodeLost")
      })
    )
  )

  /** The status of a pod on a node that the control plane has lost, with further conditions. */
  const silent = (...more: ReadonlyArray<{ type: string; status: string; reason?: string }>) =>
    PodScript.step(0, (pod) => ({
      ...pod,
      status: {
        ...pod.status,
        conditions: [{ type: "Ready", status: "False" }, { type: "ContainersReady", status: "True" }, ...more]
      }
    }))

  it.effect(
    "on a silent node comes with the connection's end, not with the eviction or the removal of the pod [C161]",
    () =>
      Effect.gen(function* () {
        const mock = yield* KubeMock
        const { here, name, process, scope, there } = yield* connected
        const ended = yield* Effect.forkChild(process.exit, { startImmediately: true })
        yield* mock.play(name, [silent()])
        yield* TestClock.adjust(0)
        const leaving = yield* process.leaving!
        assert.strictEqual(leaving.budget, Infinity)
        const sooner = yield* Effect.forkChild(leaving.sooner ?? Effect.never, { startImmediately: true })
        yield* mock.play(name, [silent({ type: "DisruptionTarget", status: "True", reason: "DeletionByTaintManager" })])
        yield* mock.play(name, [
          PodScript.step(0, (pod) => ({
            ...pod,
            metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 10 }
          }))
        ])
        yield* TestClock.adjust("1 hour")
        yield* mock.remove(name)
        yield* TestClock.adjust("1 hour")
        assert.isUndefined(sooner.pollUnsafe())
        assert.isUndefined(ended.pollUnsafe())
        const over = yield* Effect.forkChild(closed(here), { startImmediately: true })
        there.destroy()
        yield* Fiber.join(over)
        const { gone, reason } = yield* Fiber.join(ended)
        assert.deepStrictEqual([gone, reason._tag], [false, "NodeLost"])
        yield* Fiber.interrupt(sooner)
        yield* Scope.close(scope, Exit.void)
      }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("on a silent node is limited by a deletion from outside, whatever the pod's timestamps [C160][C161]", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const { name, process, scope } = yield* connected
      yield* mock.play(name, [silent()])
      yield* TestClock.adjust(0)
      const leaving = yield* process.leaving!
      yield* mock.play(name, [
        PodScript.step(0, (pod) => ({
          ...pod,
          metadata: { ...pod.metadata, deletionTimestamp: "1999-01-01T00:00:00Z", deletionGracePeriodSeconds: 10 }
        }))
      ])
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* leaving.sooner!, 7_000)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(closing)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("that is announced before its deadline is known is announced again when the deadline is earlier", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const kube = yield* KubeClient
      const { name, process, scope } = yield* connected
      const evicted = { type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" }
      yield* mock.ending({ after: 60_000, exitCode: 0 })
      yield* mock.play(name, [
        PodScript.step(0, (pod) => ({ ...pod, status: { ...pod.status, conditions: [evicted] } }))
      ])
      yield* TestClock.adjust(0)
      const leaving = yield* process.leaving!
      assert.strictEqual(leaving.budget, 30_000)
      // As `kubectl drain --grace-period=10` does.
      yield* kube.deletePod(name, { gracePeriodSeconds: 10 })
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* leaving.sooner!, 7_000)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(closing)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("sends no request if the create was refused", () =>
    Effect.gen(function* () {
      const [kube, mock] = [yield* KubeClient, yield* KubeMock]
      const backend = yield* PodParent.make()
      const first = yield* PodParent.launch(backend)
      yield* TestClock.adjust("1 second")
      yield* mock.fail("create pods", ApiErrors.podSecurity())
      const { process, scope } = yield* PodParent.launch(backend)
      assert.strictEqual((yield* Effect.flip(process.connection))._tag, "AdmissionDenied")
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(kube.requests()["delete pods"])
      const closing = yield* Effect.forkChild(Scope.close(first.scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  for (const [answer, errors] of [
    ["the 504 of who stands before the API server", [gatewayTimeout]],
    ["no answer, and then a refusal of the next try", [ApiErrors.unreachable("create pods"), ApiErrors.podSecurity()]]
  ] as const) {
    it.effect(`deletes or names the pod that a create may have made when the answer was ${answer}`, () => {
      const { layer, texts } = warnings()
      let away = false
      let tries = 0
      return Effect.gen(function* () {
        const mock = yield* KubeMock
        const parent = yield* Scope.make()
        const { process, scope } = yield* PodParent.launch(yield* Scope.provide(PodParent.make(), parent))
        const failing = yield* Effect.forkChild(Effect.result(process.connection))
        yield* TestClock.adjust("1500 millis")
        const { metadata } = yield* theOnly
        away = true
        yield* mock.cutWatches(ApiErrors.unreachable("watch pods"))
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        const ending = yield* Effect.forkChild(Effect.andThen(Fiber.join(closing), Scope.close(parent, Exit.void)))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(ending)
        yield* Fiber.interrupt(failing)
        assert.include(texts.join("\n"), metadata.name!)
      }).pipe(
        Effect.provide(
          PodParent.cluster((client) => {
            const unless = <A>(effect: Effect.Effect<A, KubeError>) =>
              Effect.suspend(() => (away ? Effect.fail(ApiErrors.unreachable("delete pods")) : effect))
            return {
              createPod: (pod, options) => {
                if (options?.dryRun === true) return client.createPod(pod, options)
                const answer = errors[Math.min(tries++, errors.length - 1)]
                const done = tries === 1 ? client.createPod(pod) : Effect.void
                return Effect.andThen(done, Effect.fail(answer ?? gatewayTimeout))
              },
              // Only the create reports this pod.
              watchPods: () => Stream.never,
              deletePod: (name, options) => unless(client.deletePod(name, options)),
              listPods: (selector, options) => unless(client.listPods(selector, options))
            }
          })
        ),
        Effect.provide(layer)
      )
    })
  }

  it.effect("keeps the pod of a create that succeeded and was refused when it was retried", () => {
    let isAsked = false
    return Effect.gen(function* () {
      const [kube, mock] = [yield* KubeClient, yield* KubeMock]
      const { process, scope } = yield* PodParent.launch(yield* PodParent.make())
      assert.strictEqual((yield* Effect.flip(process.connection))._tag, "AdmissionDenied")
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(isAsked)
      assert.isUndefined(kube.requests()["delete pods"])
      yield* TestClock.adjust("2 seconds")
      // One was only tried as a dry run.
      assert.deepInclude(kube.requests(), { "create pods": 2, "delete pods": 1 })
      assert.lengthOf(yield* mock.pods, 0)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        PodParent.cluster((client) => ({
          createPod: (pod, options) => {
            if (options?.dryRun === true) return client.createPod(pod, options)
            isAsked = true
            // The request is still on its way when it is given up.
            return Effect.andThen(
              Effect.forkDetach(Effect.delay(client.createPod(pod), "1500 millis")),
              Effect.fail(ApiErrors.podSecurity())
            )
          }
        }))
      )
    )
  })

  it.effect("leaves no follower of a pod that never existed", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const hub = yield* KubeHub.make(client, PodParent.options, yield* Effect.scope).get
      let following = 0
      const watch: typeof hub.watch = {
        ...hub.watch,
        follow: (name, listener) => {
          following++
          const unfollow = hub.watch.follow(name, listener)
          return () => {
            following--
            unfollow()
          }
        }
      }
      const template = PodTemplate.make(PodParent.options, undefined, hub.identity)
      if (template instanceof InvalidSpec) return assert.fail(template.message)
      const parts = {
        hub: { ...hub, watch },
        template,
        code: undefined,
        key: "env" as const,
        may: { listEvents: false, readLogs: false },
        owner: () => undefined,
        values: undefined,
        scheduleTimeout: 1_000,
        say: () => {},
        compare: () => {}
      }
      yield* (yield* KubeMock).fail("create pods", ApiErrors.podSecurity())
      const scope = yield* Scope.make()
      const phases = yield* Queue.unbounded<BootPhase, never>()
      const pod = new RunnerPod(parts, PodParent.spec(), phases as never, (effect) => Effect.runFork(effect))
      const process = yield* Scope.provide(pod.start, scope)
      assert.strictEqual((yield* Effect.flip(process.connection))._tag, "AdmissionDenied")
      assert.strictEqual(following, 1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(following, 0)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )
})

describe("a runner pod to which its parent dials through the API server", () => {
  it.effect("closes its connections when it ends, not when its pool does", () => {
    let open = 0
    let port = 0
    const portForward = () =>
      Effect.acquireRelease(
        Effect.sync(() => {
          open++
          return Net.connect(port, "127.0.0.1")
        }),
        () => Effect.sync(() => void open--)
      )
    return Effect.gen(function* () {
      port = yield* freePort
      yield* (yield* KubeMock).script(PodScript.boots)
      // The parent of a program outside the cluster, which pods cannot dial.
      const backend = yield* PodParent.make({ advertise: undefined as never })
      const { process, scope } = yield* PodParent.launch(backend)
      yield* TestClock.adjust("1 second")
      const pod = yield* theOnly
      const waiting = yield* Effect.forkChild(PodParent.awaitParent(pod, port))
      const connecting = yield* Effect.forkChild(process.connection)
      // Connection attempts from before the program listened are repeated.
      while (waiting.pollUnsafe() === undefined) {
        yield* TestClock.adjust("100 millis")
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      const there = yield* Fiber.join(waiting)
      yield* Fiber.join(connecting)
      assert.strictEqual(open, 1)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.strictEqual(open, 0)
      there.destroy()
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster(() => ({ portForward }))))
  })
})

const freePort = Effect.callback<number>((resume) => {
  const server = Net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as Net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})
