import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Backend } from "../../../src/backend/Backend.ts"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { children, isAlive } from "../../fixtures/conformance-process/census.ts"
import { add, place, playSecond, Second } from "../../fixtures/conformance-process/functions.ts"
import { begin, fixture, leavesNothing, onPool, reasonOf, watch } from "../../fixtures/conformance-process/harness.ts"

const reapers = () => children().filter(({ args }) => args.includes("effect-flame-reaper"))

describe("two pools over one backend", () => {
  it.live("have separate runners, slots and ends", () =>
    onPool({ max: 1 }, (scene) =>
      Effect.gen(function* () {
        const backend = yield* Backend
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(Second.layer({ max: 1, cancelGrace: "1 second" }), scope).pipe(
          Effect.provideService(Backend, backend)
        )
        const second = Context.get(context, Second)
        const events = yield* watch(second)
        const first = yield* begin(scene, "a")
        const other = yield* Effect.forkScoped(Effect.provideContext(Flame.call(playSecond, { key: "b" }), context))
        const { pid } = yield* scene.stage.said("b", "started")
        // The one slot of each pool is taken by that pool's own call.
        assert.notStrictEqual(pid, first.pid)
        assert.deepInclude(yield* scene.pool.status, { pool: "effect-flame/Pool", busySlots: 1, waiting: 0 })
        assert.deepInclude(yield* second.status, { pool: "test/Second", busySlots: 1, waiting: 0 })
        const [ready] = events.of("RunnerReady")
        assert.match(ready?.runner ?? "", /^second-/)
        // Two pools share one reaper.
        assert.strictEqual(reapers().length, 1)

        yield* scene.stage.tell("b", "return")
        assert.strictEqual(yield* Fiber.join(other), pid)
        // A call may go to another pool than its function's own.
        const there = yield* Effect.provideContext(Flame.call(place, undefined, { pool: Second }), context)
        assert.deepInclude(there, { pid, pool: "test/Second" })

        yield* Scope.close(scope, Exit.void)
        assert.isFalse(isAlive(pid))
        const closed = yield* reasonOf(Effect.provideContext(Flame.call(playSecond, { key: "c" }), context))
        assert.deepInclude(closed, { _tag: "PoolClosed", pool: "test/Second" })
        assert.strictEqual(yield* first.end, first.pid)
        assert.strictEqual(reapers().length, 1)
      })
    )
  )

  it.live("that an app provides as two layers are closed together", () =>
    leavesNothing(
      Effect.gen(function* () {
        const layer = Second.layer({ max: 2 }).pipe(
          Layer.provideMerge(FlameLayer.local({ entry: fixture("runner.ts"), max: 1 }))
        )
        const [first, second] = yield* Effect.all([Flame.call(place), Flame.call(place, undefined, { pool: Second })], {
          concurrency: 2
        }).pipe(Effect.provide(layer))
        assert.deepStrictEqual([first.pool, second.pool], ["effect-flame/Pool", "test/Second"])
        assert.notStrictEqual(first.pid, second.pid)
        assert.deepStrictEqual(children(), [])
      })
    )
  )

  it.live("of two FlameLayers in one process do not know each other", () =>
    leavesNothing(
      Effect.gen(function* () {
        const make = () => FlameLayer.local({ entry: fixture("runner.ts"), max: 1 })
        const scopes = [yield* Scope.make(), yield* Scope.make()] as const
        const first = yield* Layer.buildWithScope(make(), scopes[0])
        const second = yield* Layer.buildWithScope(make(), scopes[1])
        const places = yield* Effect.forEach(
          [first, second],
          (context) => Effect.provideContext(Flame.call(place), context),
          {
            concurrency: 2
          }
        )
        assert.notStrictEqual(places[0]?.pid, places[1]?.pid)
        yield* Scope.close(scopes[0], Exit.void)
        assert.strictEqual((yield* Effect.provideContext(Flame.call(place), second)).pid, places[1]?.pid)
        assert.strictEqual(yield* Effect.provideContext(Flame.call(add, { a: 1, b: 2 }), second), 3)
        assert.strictEqual(Context.get(first, Pool).id, Context.get(second, Pool).id)
        yield* Scope.close(scopes[1], Exit.void)
      })
    )
  )
})

describe("withRunner", () => {
  it.live("runs all calls inside on one runner, and keeps that runner, idle or not", () =>
    onPool({ max: 2, idleTimeToLive: "100 millis" }, (scene) =>
      Effect.gen(function* () {
        const leased = yield* Deferred.make<void>()
        const otherGone = yield* Deferred.make<void>()
        const inside = yield* Effect.forkScoped(
          Pool.withRunner(
            Effect.gen(function* () {
              const first = yield* Flame.call(place)
              yield* Deferred.succeed(leased, undefined)
              yield* Deferred.await(otherGone)
              return [first.pid, (yield* Flame.call(place)).pid] as const
            })
          )
        )
        yield* Deferred.await(leased)
        // One call takes the free slot of the leased runner, so the other call needs the second runner, which is idle
        // afterwards.
        const calls = yield* Effect.forEach(["a", "b"], (key) => begin(scene, key), { concurrency: 2 })
        yield* Effect.all(calls.map(({ end }) => end))
        const gone = yield* scene.events.nth("RunnerGone")
        assert.strictEqual(gone.why, "idle")
        yield* Deferred.succeed(otherGone, undefined)
        const [first, second] = yield* Fiber.join(inside)
        assert.strictEqual(first, second)
        // The runner ends once nobody leases it.
        yield* scene.events.nth("RunnerGone", 2)
        assert.isFalse(isAlive(first))
      })
    )
  )

  it.live("fails its calls when its runner is lost, and marks later calls as not run", () =>
    onPool({ max: 1 }, () =>
      Effect.gen(function* () {
        const reason = yield* reasonOf(
          Pool.withRunner(
            Effect.gen(function* () {
              const { pid } = yield* Flame.call(place)
              process.kill(pid, "SIGKILL")
              yield* reasonOf(Flame.call(place))
              return yield* Flame.call(place)
            })
          )
        )
        assert.deepInclude(reason, { _tag: "RunnerLost", mayHaveRun: false })
      })
    )
  )
})
