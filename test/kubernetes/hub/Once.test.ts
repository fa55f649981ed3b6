import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Once } from "../../../src/kubernetes/hub/Once.ts"

/** Work of one second, which fails if it is told to. */
const working = Effect.gen(function* () {
  const state = { begun: 0, fails: false }
  const work = Effect.suspend(() => {
    const nth = ++state.begun
    return Effect.delay(
      Effect.suspend(() => (state.fails ? Effect.fail(`no ${nth}`) : Effect.succeed(nth))),
      "1 second"
    )
  })
  return { state, once: new Once(work, yield* Effect.scope) }
})

describe("work that is shared by Once", () => {
  it.effect("runs once for all callers, at the time and later", () =>
    Effect.gen(function* () {
      const { once, state } = yield* working
      assert.isUndefined(once.done)
      const all = yield* Effect.forkChild(Effect.all([once.get, once.get, once.get], { concurrency: 3 }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(all), [1, 1, 1])
      assert.strictEqual(yield* once.get, 1)
      assert.strictEqual(once.done, 1)
      assert.strictEqual(state.begun, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("passes a failure to all waiting callers, and runs again for the next", () =>
    Effect.gen(function* () {
      const { once, state } = yield* working
      state.fails = true
      const both = yield* Effect.forkChild(
        Effect.all([Effect.flip(once.get), Effect.flip(once.get)], { concurrency: 2 })
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(both), ["no 1", "no 1"])
      assert.isUndefined(once.done)
      state.fails = false
      const next = yield* Effect.forkChild(once.get)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(next), 2)
    }).pipe(Effect.scoped)
  )

  it.effect("runs again for a caller after its outcome was forgotten, but not while it runs", () =>
    Effect.gen(function* () {
      const { once, state } = yield* working
      const first = yield* Effect.forkChild(once.get, { startImmediately: true })
      once.forget()
      const second = yield* Effect.forkChild(once.get, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [1, 1])
      once.forget()
      assert.isUndefined(once.done)
      const next = yield* Effect.forkChild(once.get)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(next), 2)
      assert.strictEqual(state.begun, 2)
    }).pipe(Effect.scoped)
  )

  it.effect("continues for the others when its first caller is interrupted", () =>
    Effect.gen(function* () {
      const { once, state } = yield* working
      const first = yield* Effect.forkChild(once.get, { startImmediately: true })
      const second = yield* Effect.forkChild(once.get, { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(second), 1)
      assert.strictEqual(state.begun, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("ends with its scope, and its waiting callers fail", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const once = new Once(Effect.never, scope)
      const waiting = yield* Effect.forkChild(Effect.exit(once.get), { startImmediately: true })
      yield* TestClock.adjust(0)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
    })
  )

  it.effect("fails a caller after its scope has ended, instead of never answering", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const once = new Once(Effect.never, scope)
      yield* Scope.close(scope, Exit.void)
      const asking = yield* Effect.forkChild(Effect.exit(once.get), { startImmediately: true })
      yield* TestClock.adjust(0)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(asking)))
    })
  )
})
