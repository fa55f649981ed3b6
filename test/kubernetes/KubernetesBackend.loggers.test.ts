/** Tests of the backend of pods with loggers of the app that throw. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { Pool } from "../../src/pool/Pool.ts"
import * as ApiErrors from "../../src/testing/ApiErrors.ts"
import { KubeMock } from "../../src/testing/KubeMock.ts"
import { collectingUncaught, Thrown } from "../conformance/memory/random/Chaos.ts"
import * as Random from "../simulation/Random.ts"

const twice = Flame.fn("twice", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(2 * n))

/** Lets real sockets make progress, which TestClock does not move. */
const realTurns = Effect.promise(async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
})

/** Advances the clock by seconds until the condition holds. */
const until = (condition: () => boolean, what: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let second = 0; second < 600; second++) {
      if (condition()) return
      yield* TestClock.adjust("1 second")
      yield* realTurns
    }
    assert.fail(`it never came that ${what}`)
  })

const random = Random.make(7)

describe.each([
  ["at each line", (): boolean => true],
  ["at random", (): boolean => random() < 0.5]
] as const)("a logger of the app that throws %s", (_, throws) => {
  it.effect("ends no boot, no watch and no outage of a cluster; its errors are uncaught [C541]", () =>
    collectingUncaught((uncaught) => {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => {
        lines.push(String(message))
        if (throws()) throw new Thrown("logger")
      })
      const options = { image: "app:1", max: 1, drainTimeout: 0, cancelGrace: 0, key: "env", log: "Info" } as const
      return Effect.gen(function* () {
        const mock = yield* KubeMock
        // The review of rights logs before the first boot.
        yield* mock.fail("create pods", ApiErrors.quotaExceeded("create pods"))
        const tags: Array<string> = []
        const app = Effect.gen(function* () {
          const { events } = yield* Pool
          yield* Effect.forkScoped(
            Stream.runForEach(events, ({ _tag }) => Effect.sync(() => void tags.push(_tag))),
            { startImmediately: true }
          )
          const has = (tag: string, count = 1) => tags.filter((one) => one === tag).length >= count
          assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
          yield* mock.fail("watch pods", ...Array.from({ length: 14 }, () => ApiErrors.unreachable("watch pods")))
          yield* mock.cutWatches(ApiErrors.unreachable("watch pods"))
          yield* until(() => has("OutageBegan"), "the outage was reported")
          yield* until(() => has("OutageEnded"), "the end of the outage was reported")
          // The watch goes on: the end of a pod reaches the pool, and the next call boots another one.
          const [pod] = yield* mock.pods
          yield* mock.remove(pod!.metadata.name!)
          yield* until(() => has("RunnerGone"), "the loss of the runner was reported")
          assert.strictEqual(yield* Flame.call(twice, { n: 2 }), 4)
          assert.isTrue(has("RunnerReady", 2))
        })
        const layer = FlameLayer.kubernetes({ ...options, idleTimeToLive: "1 day", advertise: "127.0.0.1", port: 0 })
        yield* app.pipe(Effect.scoped, Effect.provide(layer))
        assert.deepStrictEqual(yield* mock.pods, [])
        yield* realTurns
        assert.isAtLeast(
          lines.filter((line) => line.includes("has not answered") || line.includes("keys of")).length,
          2
        )
        assert.isAbove(uncaught.length, 0)
        assert.deepStrictEqual(new Set(uncaught.map(String)), new Set(["Thrown: thrown by logger"]))
      }).pipe(
        Effect.provide(KubeMock.layer({ functions: [twice] })),
        Effect.provide(Logger.layer([logger]))
      ) as Effect.Effect<void, never>
    })
  )
})
