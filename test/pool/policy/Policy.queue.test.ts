import { assert, describe, it } from "@effect/vitest"
import * as Policy from "../../../src/pool/policy/Policy.ts"
import * as Ticket from "../../../src/pool/policy/Ticket.ts"
import { options, warm } from "./PolicyProbe.ts"

describe("Policy: queue", () => {
  it("serves waiting calls first in, first out [C38]", () => {
    const probe = warm(1, { max: 1 })
    probe.submitAll("a", "b", "c", "d")
    assert.deepStrictEqual(probe.releaseAll("a", "b", "c"), ["b on 0", "c on 0", "d on 0"])
  })

  it("removes an interrupted call at the head, in between and at the end [C39] [C57]", () => {
    const probe = warm(1, { max: 1 })
    probe.submitAll("a", "b", "c", "d", "e", "f")
    for (const name of ["b", "d", "f"]) assert.deepStrictEqual(probe.withdraw(name), [])
    assert.strictEqual(probe.snapshot.waiting, 2)
    const { next, prev, queue, state } = probe.ticket("d")
    assert.deepStrictEqual([next, prev, queue, state], [undefined, undefined, undefined, "idle"])
    // Both ends of the queue are intact.
    probe.submitAll("g", "h")
    const served = probe.releaseAll("a", "c", "e", "g", "h")
    assert.deepStrictEqual(served, ["c on 0", "e on 0", "g on 0", "h on 0"])
  })

  it("refuses a call beyond queueCapacity at once", () => {
    const probe = warm(1, { max: 1, queueCapacity: 2 })
    probe.submitAll("a", "b", "c")
    assert.deepStrictEqual(probe.submit("d"), ["d QueueFull"])
    assert.deepStrictEqual(probe.release("a"), ["b on 0"])
    assert.deepStrictEqual(probe.submitAll("e", "f"), ["f QueueFull"])
  })

  it("puts returned calls before all others, in their old order, also beyond queueCapacity", () => {
    const probe = warm(2, { max: 3, concurrency: 2, queueCapacity: 2 })
    probe.submitAll("a", "b", "c", "d", "e", "f")
    // Calls a and c run on runner 1, b and d on 0. The third runner boots for e and f.
    probe.lost(1)
    probe.lost(0)
    for (const name of ["d", "a", "c", "b"]) assert.deepStrictEqual(probe.requeue(name), [])
    assert.strictEqual(probe.snapshot.waiting, 6)
    assert.deepStrictEqual(probe.ready(2), ["a on 2", "b on 2"])
    probe.withdraw("c")
    assert.deepStrictEqual(probe.releaseAll("a", "b", "d"), ["d on 2", "e on 2", "f on 2"])
  })

  it("takes a runner that hands a call back out of service", () => {
    const probe = warm(2, { max: 2 })
    probe.submit("a")
    assert.deepStrictEqual(probe.requeue("a"), ["drain 0 draining", "a on 1"])
  })

  it("has the same cost to enter, leave and pass at any length [C40]", () => {
    const [short, long] = [touchesAt(1000), touchesAt(100_000)]
    assert.deepStrictEqual(long, short)
    assert.isAtMost(Math.max(...Object.values(short)), 40)
  })

  it("takes about the same time to pass at any length [C40]", () => {
    // The best ratio of several rounds, because other programs disturb some of them.
    const ratios = Array.from({ length: 5 }, () => passTimeAt(100_000) / passTimeAt(1000))
    // A cost that grows with the length gives a ratio of 100.
    assert.isBelow(Math.min(...ratios), 20)
  })
})

/** Counts reads and writes of tickets for one operation each on a queue of that length. */
const touchesAt = (length: number): Record<string, number> => {
  let touches = 0
  const watched = (): Ticket.Ticket =>
    new Proxy(Ticket.make(), {
      get: (target, key) => (touches++, Reflect.get(target, key)),
      set: (target, key, value) => (touches++, Reflect.set(target, key, value))
    })
  const pool = Policy.make({ ...options, max: 2, queueCapacity: Infinity }, 1)
  const tickets = Array.from({ length: length + 2 }, watched)
  for (const ticket of tickets) Policy.step(pool, { _tag: "Submit", now: 0, ticket })
  for (const runner of [0, 1]) Policy.step(pool, { _tag: "Ready", now: 0, runner })
  const touchesOf = (event: Policy.Event): number => {
    touches = 0
    Policy.step(pool, event)
    return touches
  }
  const ticketAt = (index: number) => tickets[index] as Ticket.Ticket
  return {
    submit: touchesOf({ _tag: "Submit", now: 0, ticket: watched() }),
    withdraw: touchesOf({ _tag: "Withdraw", now: 0, ticket: ticketAt(length >> 1) }),
    released: touchesOf({ _tag: "Released", now: 0, ticket: ticketAt(0), completed: true }),
    requeue: touchesOf({ _tag: "Requeue", now: 0, ticket: ticketAt(1), keepsTurn: true })
  }
}

/** Milliseconds for 20 000 calls that enter at the end and leave at the head of a queue of that length. */
const passTimeAt = (length: number): number => {
  const pool = Policy.make({ ...options, max: 1, queueCapacity: Infinity }, 1)
  const tickets = Array.from({ length: length + 20_000 }, () => Ticket.make())
  const submit = (ticket: Ticket.Ticket) => Policy.step(pool, { _tag: "Submit", now: 0, ticket })
  for (const ticket of tickets.slice(0, length)) submit(ticket)
  Policy.step(pool, { _tag: "Ready", now: 0, runner: 0 })
  const start = performance.now()
  for (let i = 0; i < 20_000; i++) {
    submit(tickets[length + i] as Ticket.Ticket)
    Policy.step(pool, { _tag: "Released", now: 0, ticket: tickets[i] as Ticket.Ticket, completed: true })
  }
  return performance.now() - start
}
