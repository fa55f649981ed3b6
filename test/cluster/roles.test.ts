/**
 * Tests the three Roles of the documentation: what works under each, what each lacks, and that no other right is ever
 * used.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Flame from "../../src/Flame.ts"
import { BootFailed, RunnerLost } from "../../src/error/FlameError.ts"
import { begin, reasonOf } from "../fixtures/conformance-process/harness.ts"
import { add, place, TooLong } from "./apps/functions.ts"
import type { ApiProxy } from "./kit/ApiProxy.ts"
import { get } from "./kit/Cluster.ts"
import { type HostOptions, inPool } from "./kit/HostParent.ts"
import { kill } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { throughProxy } from "./kit/ProxiedParent.ts"

const space = Namespaces.ofFile("roles")

/** Requests about the own rights, which every account may send. */
const free = /^create selfsubject(rules|access)?reviews$/

/** Checks that all requests were within a Role, those that were refused included. */
const keepsTo = ({ requests }: ApiProxy, rights: Namespaces.Rights): void => {
  const may = new Set(
    Namespaces.roles[rights].flatMap(({ resources, verbs }) =>
      resources.flatMap((resource: string) => verbs.map((verb: string) => `${verb} ${resource}`))
    )
  )
  const asked = requests.map(({ resource, verb }) => `${verb} ${resource}`)
  assert.deepStrictEqual(
    asked.filter((each) => !may.has(each) && !free.test(each)),
    []
  )
  assert.deepStrictEqual(
    requests.filter(({ status }) => status === 403).map(({ path }) => path),
    []
  )
}

/** A second pool that uses the same proxy. */
const beside = (proxy: ApiProxy, options: HostOptions, body: Parameters<typeof inPool<void, never>>[2]) =>
  Effect.scoped(inPool(space, { kubeconfig: proxy.kubeconfig, ...options }, body))

/** The cause with which a boot fails. */
const bootFailure = Effect.map(reasonOf(Flame.call(add, { a: 1, b: 2 })), (reason) => {
  assert.instanceOf(reason, BootFailed)
  return reason.cause
})

const volumes = {
  spec: {
    volumes: [{ name: "settings", configMap: { name: "not-there" } }],
    containers: [{ name: "runner", volumeMounts: [{ name: "settings", mountPath: "/settings" }] }]
  }
}

const cases = [
  { rights: "pods", key: "env", explains: false },
  { rights: "secrets", key: "secret", explains: false },
  { rights: "full", key: "secret", explains: true }
] as const

describe("the Role", () => {
  for (const { explains, key, rights } of cases) {
    it.live(`of ${rights} is enough for calls, failures and all kinds of ends, and no other request is sent`, () =>
      throughProxy(space, { rights, key, max: 2, idleTimeToLive: "2 seconds" }, (scene) =>
        Effect.gen(function* () {
          const { events, proxy, runners, stage } = scene
          assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
          const typed = yield* begin(scene, "typed")
          yield* stage.tell("typed", "fail")
          assert.instanceOf(yield* Effect.flip(Fiber.join(typed.fiber)), TooLong)
          // The place of the runner's key.
          const { spec } = yield* get(space.name, "pods", typed.host)
          const variable = spec.containers[0].env.find(({ name }: { name: string }) => name === "FLAME_RUNNER_KEY")
          assert.property(variable, key === "env" ? "value" : "valueFrom")
          const killed = yield* begin(scene, "killed")
          yield* kill(space.name, killed.host)
          const lost = yield* reasonOf(Fiber.join(killed.fiber))
          assert.instanceOf(lost, RunnerLost)
          assert.strictEqual(lost.exit._tag, "Killed")
          const hoarding = yield* begin(scene, "hoard")
          yield* stage.tell("hoard", "hoard")
          const starved = yield* reasonOf(Fiber.join(hoarding.fiber))
          assert.instanceOf(starved, RunnerLost)
          assert.strictEqual(starved.exit._tag, "OutOfMemory")
          assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
          yield* beside(proxy, { key, env: { TEST_CRASH: "the settings are wrong" } }, () =>
            Effect.map(bootFailure, ({ message }) => assert.include(message, "the settings are wrong"))
          )
          yield* runners((pods) => pods.length === 0, "all go when they are idle")
          yield* events.nth("RunnerGone", 3)
          yield* scene.close
          keepsTo(proxy, rights)
        })
      )
    )

    it.live(
      `of ${rights} ${explains ? "shows" : "does not show"} why a pod waits, and the output of a program that is no runner`,
      () =>
        throughProxy(space, { rights, key }, ({ proxy, log }) =>
          Effect.gen(function* () {
            yield* Effect.all(
              [
                beside(proxy, { key, manifest: volumes, bootTimeout: "14 seconds" }, ({ events }) =>
                  Effect.gen(function* () {
                    const waiting = yield* Effect.forkScoped(Effect.exit(Flame.call(add, { a: 1, b: 2 })))
                    const { cause } = yield* events.nth("BootFailed")
                    assert.strictEqual(/FailedMount/.test(cause.message), explains, cause.message)
                    yield* Fiber.interrupt(waiting)
                  })
                ),
                beside(proxy, { key, command: ["node", "-e", "console.log('I am a job')"] }, () =>
                  Effect.map(bootFailure, (cause) => {
                    assert.strictEqual(cause._tag, "NotARunner")
                    assert.strictEqual(/I am a job/.test(cause.message), explains, cause.message)
                  })
                )
              ],
              { concurrency: 2 }
            )
            assert.strictEqual(
              log.lines.some(({ text }) => /without the right to list events/.test(text)),
              !explains
            )
            keepsTo(proxy, rights)
          })
        )
    )
  }

  it.live("of pods is not enough for secretEnv, and the error says so", () =>
    throughProxy(space, { rights: "pods", key: "env", secretEnv: { PASSWORD: Redacted.make("x") } }, ({ proxy }) =>
      Effect.gen(function* () {
        const { message } = yield* bootFailure
        assert.match(message, /create, delete secrets.*kind: Role/s)
        keepsTo(proxy, "pods")
      })
    )
  )

  it.live("of pods and Secrets is enough for secretEnv", () =>
    throughProxy(space, { rights: "secrets", secretEnv: { PASSWORD: Redacted.make("s3cret") } }, ({ proxy }) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Flame.call(place)).env["PASSWORD"], "s3cret")
        keepsTo(proxy, "secrets")
      })
    )
  )
})
