import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { QueueFull, TimedOut } from "../../../src/error/FlameError.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import * as Ticket from "../../../src/pool/policy/Ticket.ts"
import { WaitQueue } from "../../../src/pool/policy/WaitQueue.ts"
import { twice, work } from "./functions.ts"
import { finish, isOpen, long, pass, poolTest, reason, value, waiting } from "./harness.ts"

const names = (count: number) => Array.from({ length: count }, (_, i) => `w${i}`)

describe("the queue", () => {
  poolTest("[C38] serves waiting calls first in, first out", { max: 1 }, function* ({ board, runners }) {
    const first = yield* long("first")
    const calls = yield* Effect.forEach(names(20), (name) => waiting(name))
    for (const name of ["first", ...names(20)]) {
      assert.strictEqual(board.order.at(-1), name)
      yield* finish(name)
    }
    assert.strictEqual(yield* value(first), "first")
    assert.deepStrictEqual(yield* Effect.forEach(calls, value), names(20))
    assert.strictEqual(runners.peak, 1)
  })

  poolTest("[C38] serves casts and calls in one order", { max: 1 }, function* ({ board }) {
    yield* long("first")
    for (const name of names(10)) {
      if (name.charCodeAt(1) % 2 === 0) yield* Flame.cast(work, { name })
      else yield* waiting(name)
    }
    yield* finish("first", ...names(10))
    assert.deepStrictEqual(board.order, ["first", ...names(10)])
  })

  poolTest(
    "[C39] removes an interrupted waiter at once, which never gets a slot",
    { max: 1 },
    function* ({ board, pool }) {
      yield* long("first")
      const calls = yield* Effect.forEach(names(5), (name) => waiting(name))
      const { waiting: before } = yield* pool.status
      for (const i of [2, 0, 4]) {
        const interrupting = yield* Effect.forkChild(Fiber.interrupt(calls[i]!), { startImmediately: true })
        assert.isDefined(interrupting.pollUnsafe(), "it waits for nobody")
      }
      assert.deepStrictEqual([before, (yield* pool.status).waiting], [5, 2])
      yield* finish("first", ...names(5))
      assert.deepStrictEqual(board.order, ["first", "w1", "w3"])
    }
  )

  poolTest("[C39] removes an expired waiter at once, which never gets a slot", { max: 1 }, function* ({ board, pool }) {
    yield* long("first")
    yield* waiting("w0")
    const expiring = yield* waiting("w1", { timeout: "3 seconds" })
    yield* waiting("w2")
    yield* pass("3 seconds")
    assert.deepStrictEqual(
      yield* reason(expiring),
      new TimedOut({ pool: Pool.key, function: "work", phase: "queued", after: 3_000 })
    )
    assert.strictEqual((yield* pool.status).waiting, 2)
    yield* finish("first", ...names(3))
    assert.deepStrictEqual(board.order, ["first", "w0", "w2"])
  })

  it("[C40] enqueues, dequeues and cancels at a cost that does not depend on its length", () => {
    assert.deepStrictEqual(costs(10_000), costs(10))
  })

  poolTest(
    "[C40] takes 20 000 waiters and removes them again",
    { max: 1, queueCapacity: 20_000 },
    function* ({ pool }) {
      yield* long("first")
      const fibers = yield* Effect.forEach(
        Array.from({ length: 20_000 }, (_, n) => n),
        (n) => Effect.forkChild(Flame.call(twice, { n }), { startImmediately: true })
      )
      assert.strictEqual((yield* pool.status).waiting, 20_000)
      const half = fibers.filter((_, i) => i % 2 === 0)
      yield* Fiber.interruptAll(half)
      assert.strictEqual((yield* pool.status).waiting, 10_000)
      yield* finish("first")
      assert.deepStrictEqual(
        yield* Fiber.joinAll(fibers.filter((_, i) => i % 2 === 1)),
        Array.from({ length: 10_000 }, (_, i) => 4 * i + 2)
      )
    }
  )

  poolTest(
    "refuses the call beyond queueCapacity at once, with both figures, and takes the next when one has gone",
    { max: 1, queueCapacity: 2 },
    function* ({ pool }) {
      yield* long("first")
      const w0 = yield* waiting("w0")
      yield* waiting("w1")
      const full = yield* waiting("w2")
      assert.deepStrictEqual(
        yield* reason(full),
        new QueueFull({ pool: Pool.key, function: "work", waiting: 2, capacity: 2 })
      )
      const cast = yield* Effect.flip(Flame.cast(work, { name: "cast" }))
      assert.deepStrictEqual(cast.reason, new QueueFull({ pool: Pool.key, function: "work", waiting: 2, capacity: 2 }))
      assert.isTrue(Flame.isRetryable(cast))
      yield* Fiber.interrupt(w0)
      const w3 = yield* waiting("w3")
      yield* isOpen(w3)
      assert.strictEqual((yield* pool.status).waiting, 2)
      yield* finish("first", "w1", "w3")
      assert.strictEqual(yield* value(w3), "w3")
    }
  )

  poolTest(
    "takes calls that need not wait whatever queueCapacity is",
    { max: 1, queueCapacity: 0, min: 1, awaitMin: true },
    function* () {
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
      const a = yield* long("a")
      assert.strictEqual((yield* Effect.flip(Flame.call(twice, { n: 1 }))).reason._tag, "QueueFull")
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
    }
  )
})

/** Counts how often each operation reads and writes links between tickets, on a queue of that length. */
const costs = (length: number) => {
  let touched = 0
  const queue = new WaitQueue()
  const ticket = (seq: number): Ticket.Ticket => {
    const plain = Ticket.make()
    plain.seq = seq
    return new Proxy(plain, {
      get: (target, key) => (touched++, Reflect.get(target, key)),
      set: (target, key, value) => (touched++, Reflect.set(target, key, value))
    })
  }
  const tickets = Array.from({ length }, (_, seq) => ticket(seq))
  for (const one of tickets) queue.push(one)
  const cost = (operation: () => void): number => {
    touched = 0
    operation()
    return touched
  }
  const last = ticket(length)
  return {
    enqueue: cost(() => queue.push(last)),
    cancelLast: cost(() => queue.remove(last)),
    cancelMiddle: cost(() => queue.remove(tickets[length / 2]!)),
    dequeue: cost(() => queue.remove(queue.peek()!)),
    length: length - queue.size
  }
}
