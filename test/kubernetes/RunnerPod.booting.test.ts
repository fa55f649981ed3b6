import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { BootPhase, RunnerProcess } from "../../src/backend/Backend.ts"
import { KubeClient } from "../../src/kubernetes/api/KubeClient.ts"
import { ApiErrors, KubeMock, PodScript } from "../../src/testing/index.ts"
import * as PodParent from "./kit/PodParent.ts"

const theOnly = Effect.gen(function* () {
  const [pod] = yield* (yield* KubeMock).pods
  return pod ?? assert.fail("there is no pod")
})

/** The steps that a boot has reported so far. */
const following = Effect.fnUntraced(function* ({ phases }: RunnerProcess) {
  const told: Array<BootPhase> = []
  yield* Effect.forkScoped(
    Stream.runForEach(phases, (phase) => Effect.sync(() => void told.push(phase))),
    { startImmediately: true }
  )
  return told
})

/** A runner whose pod follows a script. */
const booting = Effect.fnUntraced(function* (
  script: PodScript.Script = PodScript.boots,
  options: Parameters<typeof PodParent.make>[0] = {}
) {
  yield* (yield* KubeMock).script(script)
  const runner = yield* PodParent.launch(yield* PodParent.make(options))
  const told = yield* following(runner.process)
  const connecting = yield* Effect.forkScoped(Effect.result(runner.process.connection), { startImmediately: true })
  yield* TestClock.adjust(0)
  const failure = Effect.map(Fiber.join(connecting), (result) =>
    result._tag === "Failure" ? result.failure : assert.fail("it is connected")
  )
  return { ...runner, told, connecting, failure }
})

const test = <A, E>(body: Effect.Effect<A, E, Scope.Scope | KubeMock | KubeClient>, change?: Change) =>
  Effect.scoped(body).pipe(Effect.provide(PodParent.cluster(change)))

type Change = Parameters<typeof PodParent.cluster>[0]

describe("the boot of a runner pod", () => {
  it.effect("reports its steps in order, the last one when the runner has dialled back", () =>
    test(
      Effect.gen(function* () {
        const { connecting, process, told } = yield* booting()
        yield* TestClock.adjust("1 second")
        yield* process.scheduled!
        assert.isUndefined(connecting.pollUnsafe())
        yield* PodParent.dialBack(yield* theOnly)
        yield* Fiber.join(connecting)
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(
          told.map(({ name }) => name),
          ["created", "scheduled", "started", "connected"]
        )
        assert.deepInclude(process.labels, { node: "node1" })
      })
    )
  )

  it.effect("is confirmed by the dial-back, although the create is never answered", () =>
    test(
      Effect.gen(function* () {
        const { connecting, told } = yield* booting()
        yield* TestClock.adjust("1 second")
        yield* PodParent.dialBack(yield* theOnly)
        assert.strictEqual((yield* Fiber.join(connecting))._tag, "Success")
        yield* TestClock.adjust(0)
        // The watch may be faster than the answer. A pod that is seen has been created.
        assert.deepStrictEqual(
          told.map(({ name }) => name),
          ["created", "scheduled", "started", "connected"]
        )
      }),
      (client) => ({
        createPod: (pod, options) =>
          options?.dryRun === true
            ? client.createPod(pod, options)
            : Effect.andThen(client.createPod(pod), Effect.never)
      })
    )
  )

  it.effect("keeps the scheduler's message when the message arrives before the answer to the create", () =>
    test(
      Effect.gen(function* () {
        const { failure, told } = yield* booting([PodScript.unschedulable("10 millis", "0/1 nodes are available")], {
          scheduleTimeout: "3 seconds"
        })
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(
          told.map(({ name }) => name),
          ["created", "waiting"]
        )
        assert.include((yield* failure).message, "0/1 nodes are available")
      }),
      (client) => ({
        createPod: (pod, options) =>
          options?.dryRun === true
            ? client.createPod(pod, options)
            : Effect.delay(Effect.yieldNow, "1 second").pipe(
                Effect.andThen(client.getPod(pod.metadata.name ?? "")),
                (answer) => Effect.andThen(client.createPod(pod), answer)
              )
      })
    )
  )

  it.effect("that is given up before the create is answered leaves no pod, whenever the answer arrives", () => {
    let late: Effect.Effect<unknown, unknown> = Effect.void
    return test(
      Effect.gen(function* () {
        const mock = yield* KubeMock
        const { scope } = yield* booting()
        yield* Scope.close(scope, Exit.void)
        yield* TestClock.adjust("3 minutes")
        yield* late
        assert.strictEqual((yield* mock.pods).length, 1)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* mock.pods).length, 0)
      }),
      (client) => ({
        createPod: (pod, options) =>
          Effect.suspend(() => {
            if (options?.dryRun === true) return client.createPod(pod, options)
            late = client.createPod(pod)
            return Effect.never
          })
      })
    )
  })

  it.effect("waits 25 s for an image, and then fails with the image's name", () =>
    test(
      Effect.gen(function* () {
        const { connecting, failure, told } = yield* booting([
          PodScript.scheduled("10 millis"),
          PodScript.waiting("500 millis", "ErrImagePull", "not found"),
          PodScript.waiting("16 seconds", "ImagePullBackOff", "Back-off pulling image")
        ])
        yield* TestClock.adjust("25 seconds")
        assert.isUndefined(connecting.pollUnsafe())
        assert.isTrue(told.some(({ detail = "", name }) => name === "waiting" && detail.includes("app:1")))
        yield* TestClock.adjust("1 second")
        const cause = yield* failure
        assert.strictEqual(cause._tag, "ImagePull")
      })
    )
  )

  it.effect("continues when the image becomes available in time", () =>
    test(
      Effect.gen(function* () {
        const { connecting } = yield* booting([
          PodScript.scheduled("10 millis"),
          PodScript.waiting("500 millis", "ErrImagePull", "registry is away"),
          PodScript.running("20 seconds")
        ])
        yield* TestClock.adjust("1 minute")
        assert.isUndefined(connecting.pollUnsafe())
        yield* PodParent.dialBack(yield* theOnly)
        yield* Fiber.join(connecting)
      })
    )
  )

  it.effect("reports the scheduler's message at once, and fails with it when no node was found in time", () =>
    test(
      Effect.gen(function* () {
        const { failure, process, scope, told } = yield* booting([PodScript.unschedulable("20 millis")], {
          scheduleTimeout: "2 minutes"
        })
        const placed = yield* Effect.forkScoped(process.scheduled)
        yield* TestClock.adjust("1 second")
        assert.match(told.find(({ name }) => name === "waiting")?.detail ?? "", /Insufficient cpu/)
        yield* TestClock.adjust("2 minutes")
        const cause = yield* failure
        assert.strictEqual(cause._tag, "Unschedulable")
        assert.match(cause.message, /Insufficient cpu/)
        assert.isUndefined(placed.pollUnsafe())
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* (yield* KubeMock).pods).length, 0)
      })
    )
  )

  it.effect("lists events once when its container is not created for 10 s, if the rights allow it", () =>
    test(
      Effect.gen(function* () {
        const mock = yield* KubeMock
        const client = yield* KubeClient
        const { process, told } = yield* booting([PodScript.scheduled(0), PodScript.waiting(0, "ContainerCreating")])
        const { metadata } = yield* theOnly
        const message = 'MountVolume.SetUp failed for volume "v": configmap "c" not found'
        yield* mock.tell(metadata.name!, { type: "Warning", reason: "FailedMount", message })
        yield* TestClock.adjust("9 seconds")
        assert.notProperty(client.requests(), "list events")
        yield* TestClock.adjust("2 seconds")
        assert.match(told.at(-1)?.detail ?? "", /FailedMount.*configmap "c" not found/)
        assert.match(process.hint?.() ?? "", /FailedMount/)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(client.requests()["list events"], 1)
      })
    )
  )

  it.effect("never lists events without the right to do so", () =>
    test(
      Effect.gen(function* () {
        const rules = [{ verbs: ["*"], apiGroups: [""], resources: ["pods"] }]
        yield* (yield* KubeMock).rules({ incomplete: false, rules })
        yield* booting([PodScript.scheduled(0), PodScript.waiting(0, "ContainerCreating")])
        yield* TestClock.adjust("1 minute")
        assert.notProperty((yield* KubeClient).requests(), "list events")
      })
    )
  )

  it.effect("fails with the output of a program that crashed", () =>
    test(
      Effect.gen(function* () {
        const { failure, process } = yield* booting([
          ...PodScript.boots,
          PodScript.terminated("100 millis", { exitCode: 1, message: "the settings are wrong" })
        ])
        yield* TestClock.adjust("1 second")
        const cause = yield* failure
        assert.strictEqual(cause._tag, "ProcessExited")
        assert.include(cause.message, "the settings are wrong")
        assert.strictEqual(process.bootFailure(yield* process.exit), cause)
      })
    )
  )

  it.effect("reads the log of a program that ended without a termination message", () =>
    test(
      Effect.gen(function* () {
        const { failure } = yield* booting([
          ...PodScript.boots,
          // The name is known once the pod is created.
          PodScript.terminated("10 seconds", { exitCode: 0 })
        ])
        const { metadata } = yield* theOnly
        yield* (yield* KubeMock).log(metadata.name!, "I am a job\n")
        yield* TestClock.adjust("11 seconds")
        const cause = yield* failure
        assert.strictEqual(cause._tag, "NotARunner")
        assert.include(cause.message, "I am a job")
      })
    )
  )

  it.effect("fails with the log of an init container that failed without a termination message [C162]", () =>
    test(
      Effect.gen(function* () {
        const terminated = { exitCode: 3, reason: "Error" }
        const { failure } = yield* booting([
          PodScript.scheduled("10 millis"),
          PodScript.step("1 second", (pod) => ({
            ...pod,
            status: {
              ...pod.status,
              initContainerStatuses: [
                { name: "migrate", image: "", imageID: "", ready: false, restartCount: 0, state: { terminated } }
              ]
            }
          }))
        ])
        const { metadata } = yield* theOnly
        yield* (yield* KubeMock).log(metadata.name!, "no such database\n")
        yield* TestClock.adjust("2 seconds")
        const cause = yield* failure
        assert.strictEqual(cause._tag, "Crashed")
        assert.match(cause.message, /init container migrate failed.*no such database/s)
      }),
      (client) => ({
        podLog: (name, container, lines) =>
          container === "migrate" ? client.podLog(name, container, lines) : Effect.succeed("")
      })
    )
  )

  it.effect("waits while a quota is full, and continues when there is room", () =>
    test(
      Effect.gen(function* () {
        const mock = yield* KubeMock
        // The dry run at the start takes the first of these failures.
        yield* mock.fail("create pods", ...Array.from({ length: 3 }, () => ApiErrors.quotaExceeded()))
        const { connecting, told } = yield* booting()
        yield* TestClock.adjust(0)
        assert.match(told.find(({ name }) => name === "waiting")?.detail ?? "", /quota/)
        assert.strictEqual((yield* mock.pods).length, 0)
        yield* TestClock.adjust("10 seconds")
        yield* PodParent.dialBack(yield* theOnly)
        yield* Fiber.join(connecting)
      })
    )
  )

  it.effect("whose Secret was deleted fails, and the next boot has all Secrets again", () =>
    test(
      Effect.gen(function* () {
        const mock = yield* KubeMock
        const client = yield* KubeClient
        const backend = yield* PodParent.make({ key: "secret", secretEnv: { TOKEN: Redacted.make("t") } })
        yield* TestClock.adjust("1 second")
        const names = Effect.map(mock.secrets, (all) => all.map(({ metadata }) => metadata.name!).toSorted())
        const boot = Effect.gen(function* () {
          const runner = yield* PodParent.launch(backend)
          yield* TestClock.adjust("1 second")
          return runner
        })
        yield* boot
        const before = yield* names
        assert.lengthOf(before, 2)
        for (const name of before) {
          yield* client.deleteSecret(name)
          yield* mock.script([
            PodScript.scheduled(0),
            PodScript.waiting(0, "CreateContainerConfigError", `secret "${name}" not found`)
          ])
          const { process } = yield* boot
          const connecting = yield* Effect.forkChild(Effect.flip(process.connection))
          yield* TestClock.adjust("1 minute")
          const cause = yield* Fiber.join(connecting)
          assert.strictEqual(cause._tag, "LaunchFailed")
          assert.include(cause.message, `the Secret ${name} was deleted`)
          yield* mock.script(PodScript.boots)
          yield* boot
          assert.deepStrictEqual(yield* names, before)
        }
      })
    )
  )

  it.effect("whose pod is deleted from outside fails with a cause that can heal", () =>
    test(
      Effect.gen(function* () {
        const { failure } = yield* booting([PodScript.scheduled(0)])
        const { metadata } = yield* theOnly
        yield* (yield* KubeClient).deletePod(metadata.name!)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* failure)._tag, "Removed")
      })
    )
  )
})

describe("a runner pod that serves", () => {
  it.effect("is leaving from an eviction on, and its calls get what the grace leaves", () =>
    test(
      Effect.gen(function* () {
        const mock = yield* KubeMock
        const { connecting, process } = yield* booting()
        yield* TestClock.adjust("1 second")
        const { metadata, spec } = yield* theOnly
        yield* PodParent.dialBack(yield* theOnly)
        yield* Fiber.join(connecting)
        yield* mock.play(metadata.name!, [PodScript.disrupted(0, "EvictionByEvictionAPI", "Eviction API: evicting")])
        yield* TestClock.adjust(0)
        const { budget, why } = yield* process.leaving!
        assert.match(why, /evict/i)
        // The pod's grace includes drainTimeout.
        assert.strictEqual(spec.terminationGracePeriodSeconds, 40)
        assert.strictEqual(budget, 30_000)
      })
    )
  )

  it.effect("ends with the cause that the kubelet reports", () =>
    test(
      Effect.gen(function* () {
        const mock = yield* KubeMock
        const { connecting, process } = yield* booting()
        yield* TestClock.adjust("1 second")
        const { metadata } = yield* theOnly
        yield* PodParent.dialBack(yield* theOnly)
        yield* Fiber.join(connecting)
        yield* mock.play(metadata.name!, [PodScript.terminated(0, { exitCode: 137, reason: "OOMKilled" })])
        yield* TestClock.adjust(0)
        const { gone, reason } = yield* process.exit
        assert.deepStrictEqual([gone, reason._tag], [true, "OutOfMemory"])
      })
    )
  )

  it.effect("ends with the name of the component that killed it", () =>
    test(
      Effect.gen(function* () {
        const { connecting, process } = yield* booting()
        yield* TestClock.adjust("1 second")
        yield* PodParent.dialBack(yield* theOnly)
        yield* Fiber.join(connecting)
        const killing = yield* Effect.forkScoped(process.kill("stuck call f"))
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(killing)
        const { reason } = yield* process.exit
        assert.deepInclude(reason, { _tag: "Killed", by: "stuck call f" })
      })
    )
  )
})
