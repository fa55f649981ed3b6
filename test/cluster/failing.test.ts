/**
 * Tests boots that fail, each with its named cause within its time: C26, C52, C89, C90, and failure drills. Parents run
 * outside of the cluster.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type { BootFailure } from "../../src/error/BootFailure.ts"
import * as Flame from "../../src/Flame.ts"
import { BootFailed } from "../../src/error/FlameError.ts"
import { reasonOf, timed } from "../fixtures/conformance-process/harness.ts"
import { add, place } from "./apps/functions.ts"
import type { KubeObject } from "./kit/Api.ts"
import { create, list, remove } from "./kit/Cluster.ts"
import { type HostOptions, onHost } from "./kit/HostParent.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { within } from "./kit/Times.ts"

const space = Namespaces.ofFile("failing")

const call = Flame.call(add, { a: 1, b: 2 })

/** The cause with which a call fails whose runner cannot boot, and the time until then in milliseconds. */
const failure = (options: HostOptions) =>
  onHost(space, options, () =>
    Effect.map(timed(reasonOf(call)), ([reason, took]): readonly [BootFailure, number] => {
      assert.instanceOf(reason, BootFailed)
      return [reason.cause, took]
    })
  )

const hasNotStarted = ({ status }: KubeObject): boolean =>
  status?.containerStatuses?.[0]?.state?.terminated?.reason === "StartError"

describe("a boot that fails", () => {
  it.live("[C90] for a missing image names the image within 30 s", () =>
    Effect.gen(function* () {
      const image = "localhost/not-there:1"
      const [cause, took] = yield* failure({ image })
      assert.strictEqual(cause._tag, "ImagePull")
      assert.include(cause.message, image)
      within("missing image", took, 30_000)
    })
  )

  it.live("[C90] for an invalid image name reports the name within seconds", () =>
    Effect.gen(function* () {
      const [cause, took] = yield* failure({ image: "localhost/UPPER:1" })
      assert.include(["ImagePull", "InvalidSpec"], cause._tag)
      assert.include(cause.message, "localhost/UPPER:1")
      within("image name that cannot be", took, 5_000)
    })
  )

  it.live("[C162] for an init container that failed quotes the end of its output", () =>
    Effect.gen(function* () {
      const command = ["node", "-e", "console.log('no such database'); process.exit(3)"]
      const initContainers = [{ name: "migrate", image: "localhost/node:24", command }]
      const [cause] = yield* failure({ manifest: { spec: { initContainers } } })
      assert.match(cause.message, /init container migrate failed.*no such database/s)
    })
  )

  it.live("for a missing command names the command within 3 s, and as soon as the API server knows", () =>
    onHost(space, { command: ["no-such-program", "runner.mjs"] }, ({ runners }) =>
      Effect.gen(function* () {
        const isKnown = runners((pods) => pods.some(hasNotStarted), "its container could not be started")
        const stamped = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
          Effect.map(effect, (value) => [value, performance.now()] as const)
        const knowing = yield* Effect.forkScoped(stamped(isKnown), { startImmediately: true })
        const began = performance.now()
        const [reason, told] = yield* stamped(reasonOf(call))
        assert.instanceOf(reason, BootFailed)
        assert.include(reason.cause.message, "no-such-program")
        const [, known] = yield* Fiber.join(knowing)
        within("bad command", told - began, 3_000)
        within("bad command, after the API server knows it", told - known, 500)
      })
    )
  )

  it.live("for a crash at import quotes stderr within 3 s", () =>
    Effect.gen(function* () {
      const [cause, took] = yield* failure({ env: { TEST_CRASH: "the settings are wrong" } })
      assert.include(["ProcessExited", "Crashed"], cause._tag)
      assert.include(cause.message, "the settings are wrong")
      within("crash at import, with its stderr", took, 3_000)
    })
  )

  it.live("for an exit without output reports the exit code", () =>
    Effect.gen(function* () {
      const [cause] = yield* failure({ env: { TEST_EXIT: "7" } })
      assert.match(cause.message, /code 7/)
    })
  )

  it.live("for a program that is no runner says so", () =>
    Effect.gen(function* () {
      const [cause] = yield* failure({ command: ["node", "-e", ""] })
      assert.strictEqual(cause._tag, "NotARunner")
    })
  )

  it.live("for a missing key in a Secret names it within 15 s", () =>
    Effect.gen(function* () {
      const env = [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "not-there", key: "password" } } }]
      const [cause, took] = yield* failure({ manifest: { spec: { containers: [{ name: "runner", env }] } } })
      assert.include(cause.message, "not-there")
      within("missing Secret", took, 15_000)
    })
  )

  it.live("for a deleted Secret of the library names it, and the next boot has the Secret again", () =>
    onHost(space, { max: 1, maxCalls: 1, secretEnv: { PASSWORD: Redacted.make("s3cret") } }, ({ events, runners }) =>
      Effect.gen(function* () {
        const password = Effect.map(Flame.call(place), ({ env }) => env["PASSWORD"])
        assert.strictEqual(yield* password, "s3cret")
        const names = Effect.map(list(space.name, "secrets"), (all) => all.map(({ metadata }) => metadata.name))
        const before = yield* names
        assert.lengthOf(before, 2)
        for (const [index, name] of before.entries()) {
          yield* runners((pods) => pods.length === 0, "no runner is left")
          yield* remove(space.name, "secrets", name)
          assert.strictEqual(yield* password, "s3cret")
          assert.include(events.of("BootFailed")[index]?.cause.message, `the Secret ${name} was deleted`)
          assert.deepStrictEqual(yield* names, before)
        }
      })
    )
  )

  it.live("[C89] for a lack of memory is reported as OutOfMemory, and retried", () =>
    onHost(space, { env: { TEST_HOARD: "1" } }, ({ events }) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkScoped(
          Effect.exit(Flame.call(add, { a: 1, b: 2 }, { timeout: "20 seconds" }))
        )
        const failed = yield* events.nth("BootFailed")
        assert.strictEqual(failed.cause._tag, "OutOfMemory")
        yield* Fiber.interrupt(waiting)
      })
    )
  )

  it.live("[C26] for a lack of rights names verb and resource, with the Role to apply", () =>
    Effect.gen(function* () {
      const [cause, took] = yield* failure({ rights: "pods" })
      assert.deepInclude(cause, { _tag: "Forbidden", verb: "create", resource: "secrets" })
      assert.match(cause.message, /kind: Role/)
      within("RBAC missing: only Secrets", took, 5_000)
    })
  )

  it.live("[C26] fails the layer that waits for its runners", () =>
    Effect.gen(function* () {
      const awaiting = onHost(space, { rights: "pods", min: 1, awaitMin: true }, () => Effect.void)
      assert.match(String(yield* Effect.flip(awaiting)), /may not create secrets/)
    })
  )

  it.live("[C52] over bootTimeout is reported, and leaves nothing", () =>
    onHost(space, { bootTimeout: "3 seconds", env: { TEST_HOLD: "60000" } }, ({ events, runners }) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkScoped(
          Effect.exit(Flame.call(add, { a: 1, b: 2 }, { timeout: "4500 millis" }))
        )
        const failed = yield* events.nth("BootFailed")
        assert.strictEqual(failed.cause._tag, "NeverConnected")
        // Another runner may boot already.
        const isIts = (pod: KubeObject) => pod.metadata.annotations["flame.dev/runner"] === failed.runner
        const [, took] = yield* timed(
          runners(
            (pods) => pods.filter(isIts).every(({ metadata }) => metadata.deletionTimestamp !== undefined),
            "its pod is told to go"
          )
        )
        within("bootTimeout: its pod is told to go", took, 2_000)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
      })
    )
  )

  it.live("for Pod Security is reported at once, with the name of the policy", () =>
    Effect.gen(function* () {
      const strict = new Namespaces.Namespace()
      strict.name = `${space.name}-strict`
      yield* Namespaces.make(strict.name, { "pod-security.kubernetes.io/enforce": "restricted" })
      yield* Effect.addFinalizer(() => Namespaces.remove(strict.name))
      const [reason, took] = yield* onHost(strict, { securityContext: { privileged: true } }, () =>
        timed(reasonOf(call))
      )
      assert.match(reason.message, /PodSecurity|restricted/)
      within("Pod Security violation", took, 5_000)
      const bent = onHost(strict, { podSecurityContext: { runAsNonRoot: true, runAsUser: 65532 } }, () => call)
      assert.strictEqual(yield* bent, 3)
    }).pipe(Effect.scoped)
  )

  it.live("for a full quota waits, and continues when there is room", () =>
    onHost(space, {}, ({ events }) =>
      Effect.gen(function* () {
        yield* create(space.name, "resourcequotas", { metadata: { name: "none" }, spec: { hard: { pods: "0" } } })
        yield* Effect.addFinalizer(() => remove(space.name, "resourcequotas", "none"))
        const waiting = yield* Effect.forkScoped(call)
        yield* events.until(
          () =>
            events.of("BootProgress").find(({ detail, phase }) => phase === "waiting" && /quota/.test(detail ?? "")),
          "it waits for the quota"
        )
        yield* remove(space.name, "resourcequotas", "none")
        const [sum, took] = yield* timed(Fiber.join(waiting))
        assert.strictEqual(sum, 3)
        within("quota freed, to the result", took, 30_000)
        assert.strictEqual(events.of("BootFailed").length, 0)
      })
    )
  )

  it.live("for a lack of nodes reports the scheduler's message at once, and waits until scheduleTimeout", () =>
    onHost(space, { nodeSelector: { "flame.test/none": "such" }, scheduleTimeout: "3 seconds" }, ({ events }) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkScoped(
          Effect.exit(Flame.call(add, { a: 1, b: 2 }, { timeout: "10 seconds" }))
        )
        const told = yield* events.until(
          () => events.of("BootProgress").find(({ detail }) => /nodes are available/.test(detail ?? "")),
          "the scheduler's words"
        )
        within("unschedulable: the scheduler's words in events", told.at, 2_000)
        const failed = yield* events.nth("BootFailed")
        assert.strictEqual(failed.cause._tag, "Unschedulable")
        assert.match(failed.cause.message, /nodes are available/)
        yield* Fiber.interrupt(waiting)
      })
    )
  )

  it.live("does not keep a layer from being built", () =>
    onHost(space, { image: "localhost/not-there:1" }, ({ pool }) =>
      Effect.map(pool.status, ({ state }) => assert.strictEqual(state, "open"))
    )
  )
})
