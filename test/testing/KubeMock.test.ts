import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Pod, WatchEvent } from "../../src/kubernetes/object/KubeObjects.ts"
import { ApiErrors, KubeClient, KubeMock, PodScript } from "../../src/testing/index.ts"
import { matches } from "../../src/testing/Selector.ts"

const pod = (name: string, life = "life"): Pod => ({
  metadata: { name, labels: { role: "runner" }, annotations: { "flame.dev/life": life, "flame.dev/runner": name } },
  spec: { containers: [{ name: "main", image: "app:1" }], terminationGracePeriodSeconds: 5 }
})

const told = (events: ReadonlyArray<WatchEvent<Pod>>): ReadonlyArray<string> =>
  events.map((event) => {
    if (event.type === "BOOKMARK") return event.type
    if (event.type === "ERROR") return `${event.type} ${event.object.code}`
    const { metadata, status } = event.object
    const [state = "-"] = Object.keys(status?.containerStatuses?.[0]?.state ?? {})
    return `${event.type} ${metadata.name} ${status?.phase ?? "-"} ${state}`
  })

/** Collects the events of a watch. */
const watching = Effect.fnUntraced(function* (resourceVersion: string) {
  const kube = yield* KubeClient
  const events: Array<WatchEvent<Pod>> = []
  const fiber = yield* Effect.forkScoped(
    Stream.runForEach(kube.watchPods("role=runner", resourceVersion), (event) =>
      Effect.sync(() => void events.push(event))
    ),
    { startImmediately: true }
  )
  return { events, fiber }
})

describe("KubeMock", () => {
  it.effect("runs a pod's script by the clock, and ends the pod by its grace", () =>
    Effect.gen(function* () {
      const kube = yield* KubeClient
      const mock = yield* KubeMock
      const { events } = yield* watching("0")
      const { metadata } = yield* kube.createPod(pod("a"))
      yield* TestClock.adjust("29 millis")
      assert.strictEqual((yield* kube.getPod("a")).spec.nodeName, "node1")
      assert.strictEqual((yield* kube.getPod("a")).status?.phase, "Pending")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* kube.getPod("a")).status?.phase, "Running")
      yield* mock.ending({ after: 10_000, exitCode: 0 })
      yield* kube.deletePod("a", { uid: "another" })
      yield* kube.deletePod("a", { uid: metadata.uid! })
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* kube.getPod("a")).metadata.deletionTimestamp, "1970-01-01T00:00:06.029Z")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(told(events), [
        "ADDED a Pending -",
        "MODIFIED a Pending -",
        "MODIFIED a Pending waiting",
        "MODIFIED a Running running",
        "MODIFIED a Running running",
        "MODIFIED a Failed terminated",
        "DELETED a Failed terminated"
      ])
      assert.deepInclude(yield* Effect.flip(kube.getPod("a")), { status: 404, reason: "NotFound", name: "a" })
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("stops the script of a pod that is deleted while it starts", () =>
    Effect.gen(function* () {
      const kube = yield* KubeClient
      yield* (yield* KubeMock).ending({ after: 100, exitCode: 0 })
      const { events } = yield* watching("0")
      yield* kube.createPod(pod("a"))
      yield* TestClock.adjust("30 millis")
      yield* kube.deletePod("a")
      yield* kube.createPod(pod("b"))
      yield* kube.deletePod("b")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(told(events), [
        "ADDED a Pending -",
        "MODIFIED a Pending -",
        "MODIFIED a Pending waiting",
        "MODIFIED a Pending waiting",
        "ADDED b Pending -",
        "DELETED b Pending -",
        "MODIFIED a Succeeded terminated",
        "DELETED a Succeeded terminated",
        "BOOKMARK"
      ])
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("creates a pod once, and reports a conflict for another with its name", () =>
    Effect.gen(function* () {
      const kube = yield* KubeClient
      const first = yield* kube.createPod(pod("a"))
      assert.strictEqual((yield* kube.createPod(pod("a"))).metadata.uid, first.metadata.uid)
      const error = yield* Effect.flip(kube.createPod(pod("a", "another")))
      assert.deepInclude(error, { status: 409, reason: "AlreadyExists", name: "a", retryable: false })
      yield* kube.createPod(pod("dry"), { dryRun: true })
      assert.lengthOf((yield* kube.listPods("role in (runner)")).items, 1)
      assert.deepStrictEqual(kube.requests(), { "create pods": 4, "list pods": 1 })
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("fails calls as scripted, one each", () =>
    Effect.gen(function* () {
      const kube = yield* KubeClient
      const mock = yield* KubeMock
      yield* mock.fail("create pods", ApiErrors.quotaExceeded(), ApiErrors.tooManyRequests("create pods", 3))
      assert.deepInclude(yield* Effect.flip(kube.createPod(pod("a"))), { status: 403, retryable: false })
      const throttled = yield* Effect.flip(kube.createPod(pod("a")))
      assert.deepInclude(throttled, { status: 429, retryAfter: 3000, retryable: true })
      yield* kube.createPod(pod("a"))
      assert.lengthOf(yield* mock.pods, 1)
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("resumes a watch where it was cut, and answers 410 if that version is forgotten", () =>
    Effect.gen(function* () {
      const kube = yield* KubeClient
      const mock = yield* KubeMock
      yield* mock.script([])
      const { metadata } = yield* kube.listPods("role=runner")
      const cut = yield* watching(metadata.resourceVersion!)
      yield* kube.createPod(pod("a"))
      yield* Effect.yieldNow
      yield* mock.cutWatches(ApiErrors.unreachable("watch pods"))
      yield* kube.createPod(pod("b"))
      assert.strictEqual((yield* Effect.flip(Fiber.join(cut.fiber))).reason, "Unreachable")
      assert.deepStrictEqual(told(cut.events), ["ADDED a Pending -"])
      const [last] = cut.events
      const version = last?.type === "ADDED" ? last.object.metadata.resourceVersion! : ""
      const resumed = yield* watching(version)
      yield* Effect.yieldNow
      assert.deepStrictEqual(told(resumed.events), ["ADDED b Pending -"])
      yield* mock.compact
      yield* Fiber.join(resumed.fiber)
      assert.deepStrictEqual(told(resumed.events), ["ADDED b Pending -", "ERROR 410"])
      const late = yield* watching(version)
      yield* Fiber.join(late.fiber)
      assert.deepStrictEqual(told(late.events), ["ERROR 410"])
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("ends a watch after some minutes, with a bookmark every minute", () =>
    Effect.gen(function* () {
      const { events, fiber } = yield* watching("0")
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(told(events), ["BOOKMARK", "BOOKMARK", "BOOKMARK", "BOOKMARK"])
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("reports how pods fail", () =>
    Effect.gen(function* () {
      const kube = yield* KubeClient
      const mock = yield* KubeMock
      const scripts: Readonly<Record<string, PodScript.Script>> = {
        image: [PodScript.scheduled(10), PodScript.waiting(10, "ImagePullBackOff", "not found")],
        place: [PodScript.unschedulable(10)],
        memory: [
          ...PodScript.boots,
          PodScript.terminated(10, { exitCode: 137, reason: "OOMKilled" }),
          PodScript.finished()
        ],
        evicted: [...PodScript.boots, PodScript.disrupted(10, "EvictionByEvictionAPI"), PodScript.gone("1 second")],
        node: [PodScript.failed(10, "OutOfcpu", "Node didn't have enough resource")]
      }
      yield* mock.script((pod) => scripts[pod.metadata.name!]!)
      for (const name of Object.keys(scripts)) yield* kube.createPod(pod(name))
      yield* TestClock.adjust("1 second")
      const status = (name: string) => Effect.map(kube.getPod(name), ({ status }) => status!)
      assert.strictEqual((yield* status("image")).containerStatuses?.[0]?.state?.waiting?.reason, "ImagePullBackOff")
      assert.strictEqual((yield* status("place")).conditions?.[0]?.reason, "Unschedulable")
      assert.strictEqual((yield* status("memory")).phase, "Running")
      assert.strictEqual((yield* status("evicted")).conditions?.at(-1)?.reason, "EvictionByEvictionAPI")
      assert.deepInclude(yield* status("node"), { phase: "Failed", reason: "OutOfcpu" })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* status("memory")).phase, "Failed")
      assert.strictEqual((yield* Effect.flip(status("evicted"))).reason, "NotFound")
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("keeps events, logs and Secrets", () =>
    Effect.gen(function* () {
      const kube = yield* KubeClient
      const mock = yield* KubeMock
      const { metadata } = yield* kube.createPod(pod("a"))
      yield* mock.tell("a", { reason: "FailedMount", message: "no such volume" })
      assert.strictEqual((yield* kube.events(metadata.uid!))[0]?.reason, "FailedMount")
      yield* mock.log("a", "one\ntwo\nthree\n")
      assert.strictEqual(yield* kube.podLog("a", "main", 2), "two\nthree\n")
      yield* kube.createSecret({ metadata: { name: "s" }, stringData: { key: "value" } })
      assert.strictEqual((yield* Effect.flip(kube.createSecret({ metadata: { name: "s" } }))).reason, "AlreadyExists")
      assert.isFalse(yield* kube.deleteSecret("s", { uid: "another" }))
      assert.lengthOf(yield* mock.secrets, 1)
      assert.isTrue(yield* kube.deleteSecret("s"))
      assert.isFalse(yield* kube.deleteSecret("s"))
      assert.lengthOf(yield* mock.secrets, 0)
    }).pipe(Effect.provide(KubeMock.layer()))
  )
})

describe("a label selector", () => {
  it("matches as the API server does", () => {
    const labels = { a: "1", "x.dev/b": "2" }
    for (const selector of ["", "a=1", "a==1,x.dev/b!=3", "a", "!c", "c!=1", "a in (1,2),x.dev/b notin (3)"]) {
      assert.isTrue(matches(selector, labels), selector)
    }
    for (const selector of ["a=2", "a!=1", "c", "!a", "a in (2, 3)", "c=1"]) {
      assert.isFalse(matches(selector, labels), selector)
    }
    assert.throws(() => matches("a>1", labels), /not a label selector/)
  })
})
