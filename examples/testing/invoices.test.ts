/**
 * Shows how an app tests its own use of Flame: in memory, with mock services, under TestClock, with scripted faults.
 *
 * `FlameLayer.test` runs the functions through the real codec and the real pool. The services of the functions are
 * requirements of that layer, so a test provides mocks in their place.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Ref } from "effect"
import { TestClock } from "effect/testing"
import { BootFailure, Flame, FlameLayer, Pool } from "effect-flame"
import { MemoryRunners } from "effect-flame/testing"
import { Invoice, NoPaper, print, Printer, printOnce } from "./Invoices.ts"

const invoice = new Invoice({ number: 7, customer: "Ada", due: new Date("2026-01-31"), cents: 12_00 })

const options = { max: 2, idleTimeToLive: "10 seconds", bootTimeout: "15 minutes" } as const

/** A pool in memory, and a printer that runs `onPrint` for each text and records the text in `printed`. */
const setup = (onPrint: Effect.Effect<void, NoPaper> = Effect.void) => {
  const printed: Array<string> = []
  const Mock = Layer.succeed(Printer, {
    print: (text) =>
      Effect.as(
        Effect.andThen(
          Effect.sync(() => printed.push(text)),
          onPrint
        ),
        { pages: 2 }
      )
  })
  return { printed, Test: FlameLayer.test([print], options).pipe(Layer.provide(Mock)) }
}

describe("the function print", () => {
  it.effect("uses the mock of the printer on the runner", () => {
    const { printed, Test } = setup()
    return Effect.gen(function* () {
      assert.strictEqual(yield* Flame.call(print, { invoice }), 2)
      assert.deepStrictEqual(printed, ["No. 7 for Ada, due 2026-01-31"])
    }).pipe(Effect.provide(Test))
  })

  it.effect("fails with an instance of its own error", () => {
    const { Test } = setup(Effect.fail(new NoPaper({ tray: 3 })))
    return Effect.gen(function* () {
      const error = yield* Effect.flip(Flame.call(print, { invoice }))
      assert.instanceOf(error, NoPaper)
      assert.deepStrictEqual(error, new NoPaper({ tray: 3 }))
    }).pipe(Effect.provide(Test))
  })

  it.effect("refuses a payload that could not be sent to another process", () => {
    const { printed, Test } = setup()
    return Effect.gen(function* () {
      // Made without the constructor and its checks, as a type assertion or a careless copy makes one.
      const free = Object.assign(Object.create(Object.getPrototypeOf(invoice)), invoice, { cents: 0 }) as Invoice
      const error = yield* Effect.flip(Flame.call(print, { invoice: free }))
      assert.strictEqual(error._tag === "FlameError" && error.reason._tag, "InvalidPayload")
      assert.deepStrictEqual(printed, [])
    }).pipe(Effect.provide(Test))
  })
})

describe("printOnce", () => {
  it.effect("leaves an invoice that timed out while printing to a person, and stops the printing", () =>
    Effect.gen(function* () {
      const stopped = yield* Deferred.make<void>()
      const { Test } = setup(Effect.onInterrupt(Effect.never, () => Deferred.succeed(stopped, undefined)))
      yield* Effect.gen(function* () {
        const printing = yield* Effect.forkChild(printOnce(invoice))
        yield* TestClock.adjust("59 seconds")
        assert.isUndefined(printing.pollUnsafe())
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(printing), "to be looked at")
        yield* Deferred.await(stopped)
      }).pipe(Effect.provide(Test))
    })
  )

  it.effect("answers later after four tries when no runner ever booted", () => {
    const { printed, Test } = setup()
    return Effect.gen(function* () {
      const runners = yield* MemoryRunners
      yield* runners.delayBoots("10 minutes")
      const printing = yield* Effect.forkChild(printOnce(invoice))
      // Four tries of one minute each, with a second between them.
      yield* TestClock.adjust("242 seconds")
      assert.isUndefined(printing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(printing), "later")
      assert.deepStrictEqual(printed, [])
    }).pipe(Effect.provide(Test))
  })

  it.effect("leaves an invoice whose runner was lost while printing to a person", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const { printed, Test } = setup(Effect.andThen(Deferred.succeed(started, undefined), Effect.never))
      yield* Effect.gen(function* () {
        const runners = yield* MemoryRunners
        const printing = yield* Effect.forkChild(printOnce(invoice))
        yield* Deferred.await(started)
        yield* runners.lose()
        assert.strictEqual(yield* Fiber.join(printing), "to be looked at")
        assert.strictEqual(printed.length, 1)
      }).pipe(Effect.provide(Test))
    })
  )

  it.effect("waits for the next boot when a boot fails for a cause that can pass", () => {
    const { printed, Test } = setup()
    return Effect.gen(function* () {
      const runners = yield* MemoryRunners
      yield* runners.failBoots(new BootFailure.LaunchFailed({ detail: "no memory for another process" }))
      const printing = yield* Effect.forkChild(printOnce(invoice))
      // The pool boots again without a new call, after a pause that grows with each failure.
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* Fiber.join(printing), "printed")
      assert.strictEqual(yield* runners.launched, 2)
      assert.strictEqual(printed.length, 1)
    }).pipe(Effect.provide(Test))
  })

  it.effect("fails at once when a boot fails for a cause that waiting cannot heal", () => {
    const { printed, Test } = setup()
    return Effect.gen(function* () {
      const runners = yield* MemoryRunners
      yield* runners.failBoots(new BootFailure.EntryMissing({ entry: "/app/runner.ts" }))
      const exit = yield* Effect.exit(printOnce(invoice))
      assert.isTrue(Exit.isFailure(exit))
      const error = yield* Effect.flip(exit)
      assert.include(String(error), "/app/runner.ts")
      assert.deepStrictEqual(printed, [])
    }).pipe(Effect.provide(Test))
  })
})

describe("the pool of printOnce", () => {
  it.effect("prints at most two invoices at a time, and ends its runners when they are idle", () =>
    Effect.gen(function* () {
      const now = yield* Ref.make(0)
      const most = yield* Ref.make(0)
      const onPrint = Effect.gen(function* () {
        const count = yield* Ref.updateAndGet(now, (n) => n + 1)
        yield* Ref.update(most, (n) => Math.max(n, count))
        yield* Effect.sleep("5 seconds")
        yield* Ref.update(now, (n) => n - 1)
      })
      const { printed, Test } = setup(onPrint)
      yield* Effect.gen(function* () {
        const pool = yield* Pool
        const all = yield* Effect.forkChild(
          Effect.forEach([1, 2, 3, 4, 5], () => printOnce(invoice), { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("15 seconds")
        assert.deepStrictEqual(yield* Fiber.join(all), ["printed", "printed", "printed", "printed", "printed"])
        assert.deepStrictEqual([printed.length, yield* Ref.get(most)], [5, 2])
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* pool.status).runners.length, 0)
      }).pipe(Effect.provide(Test))
    })
  )
})
