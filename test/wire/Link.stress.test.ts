import { assert, describe, it } from "@effect/vitest"
import { Kind } from "../../src/wire/Frame.ts"
import { Link, type LinkHandlers } from "../../src/wire/Link.ts"
import type { Transport, TransportHandlers } from "../../src/wire/Transport.ts"
import * as Random from "../simulation/Random.ts"
import { int, noise, none, withSeeds } from "./kit.ts"

/** An end of a pipe that delays, cuts and congests at random. */
class ChanceTransport implements Transport {
  peer: ChanceTransport | undefined
  /** The error of a check that failed inside a handler of the Link, which would otherwise report it as a violation. */
  failure: unknown
  private handlers: TransportHandlers | undefined
  private inbox: Array<Buffer> = []
  private waiting = 0
  private isCongested = false
  private due: Array<() => void> = []
  private readonly random: Random.Random
  private readonly highWater: number

  constructor(random: Random.Random) {
    this.random = random
    this.highWater = int(random, 1_000, 500_000)
  }

  start(handlers: TransportHandlers) {
    this.handlers = handlers
  }

  write(chunks: ReadonlyArray<Uint8Array>) {
    for (const chunk of chunks) {
      this.peer?.inbox.push(Buffer.from(chunk))
      this.waiting += chunk.length
    }
    this.isCongested = this.waiting > this.highWater
    return !this.isCongested
  }

  end() {}

  destroy() {
    throw this.failure ?? new Error("nobody breaks a rule here")
  }

  atTurnEnd(flush: () => void) {
    this.due.push(flush)
  }

  later(flush: () => void) {
    this.due.push(flush)
  }

  /** Performs one action that is due. Returns false if none is due. */
  step(): boolean {
    if (this.due.length > 0 && this.random() < 0.5) {
      this.due.shift()?.()
      return true
    }
    const chunk = this.inbox.shift()
    if (chunk !== undefined) {
      const size = this.random() < 0.7 ? chunk.length : int(this.random, 1, chunk.length)
      if (size < chunk.length) this.inbox.unshift(chunk.subarray(size))
      this.handlers?.data(chunk.subarray(0, size))
      this.peer?.arrived(size)
      return true
    }
    return this.due.length > 0
  }

  private arrived(size: number) {
    this.waiting -= size
    if (this.isCongested && this.waiting <= this.highWater / 2) {
      this.isCongested = false
      this.due.push(() => this.handlers?.drained())
    }
  }
}

const ocean = noise(6 * 1024 * 1024, 42)

/** Bytes that are identified by their first bytes: mostly few, sometimes megabytes. */
const someBytes = (random: Random.Random): Buffer => {
  const chance = random()
  const size =
    chance < 0.6
      ? int(random, 0, 300)
      : chance < 0.8
        ? int(random, 7_000, 70_000)
        : chance < 0.97
          ? int(random, 70_000, 600_000)
          : int(random, 1e6, 3e6)
  const at = int(random, 0, ocean.length - size)
  return ocean.subarray(at, at + size)
}

interface ModelCall {
  readonly number: number
  readonly payload: Buffer
  answer: { readonly kind: Kind; readonly body: Buffer } | undefined
  isCancelled: boolean
  final: number | undefined
}

const numbered = (number: number) => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(number, 0)
  return head
}

/** A model of many calls between a parent and a runner. Checks each message against what was sent. */
class Model {
  readonly calls: Array<ModelCall> = []
  readonly ends: readonly [ChanceTransport, ChanceTransport]
  readonly parent: Link
  readonly runner: Link
  readonly held = new Map<number, ModelCall>()
  private readonly served = new Map<number, ModelCall>()
  private readonly freeIds: Array<number> = []
  private readonly random: Random.Random

  constructor(random: Random.Random) {
    this.random = random
    this.ends = [new ChanceTransport(random), new ChanceTransport(random)]
    this.ends[0].peer = this.ends[1]
    this.ends[1].peer = this.ends[0]
    const link = (transport: ChanceTransport, message: LinkHandlers["message"]) =>
      new Link(transport, {
        message(kind, id, body, large) {
          try {
            message(kind, id, body, large)
          } catch (error) {
            transport.failure = error
            throw error
          }
        },
        accept: () => undefined,
        closed: () => assert.fail("nobody closes it")
      })
    this.parent = link(this.ends[0], this.atParent)
    this.runner = link(this.ends[1], this.atRunner)
    this.parent.open()
    this.runner.open()
  }

  call() {
    const id = this.freeIds.pop() ?? this.held.size + 1
    const call: ModelCall = {
      number: this.calls.length,
      payload: someBytes(this.random),
      answer: undefined,
      isCancelled: false,
      final: undefined
    }
    assert.isFalse(this.held.has(id))
    this.calls.push(call)
    this.held.set(id, call)
    this.parent.send(Kind.Request, id, numbered(call.number), call.payload)
  }

  cancelOne() {
    const entry = Random.pick([...this.held], this.random())
    if (entry === undefined || entry[1].isCancelled) return
    entry[1].isCancelled = true
    this.parent.abandon(entry[0], "request")
    this.parent.control(Kind.Cancel, entry[0])
  }

  answerOne() {
    const entry = Random.pick([...this.served], this.random())
    if (entry === undefined) return
    const [id, call] = entry
    this.served.delete(id)
    call.answer = { kind: this.random() < 0.8 ? Kind.Success : Kind.Failure, body: someBytes(this.random) }
    this.runner.send(call.answer.kind, id, none, call.answer.body)
  }

  private readonly atRunner = (kind: number, id: number, body: Buffer, large: Uint8Array | undefined) => {
    if (kind === Kind.Cancel) {
      const call = this.served.get(id)
      const isStopped =
        call === undefined
          ? this.runner.forget(id, "request") || this.runner.abandon(id, "response")
          : this.served.delete(id)
      if (isStopped) this.runner.control(Kind.Interrupted, id)
      return
    }
    const call = this.calls[body.readUInt32BE(0)]
    assert.strictEqual(kind, Kind.Request)
    assert.strictEqual(call, this.held.get(id))
    assert.isTrue(call?.payload.equals(large ?? body.subarray(4)), "a payload is another one")
    if (call !== undefined) this.served.set(id, call)
  }

  private readonly atParent = (kind: number, id: number, body: Buffer, large: Uint8Array | undefined) => {
    const call = this.held.get(id)
    assert.isDefined(call, `a final frame for ${id}, which is free`)
    this.held.delete(id)
    this.freeIds.push(id)
    this.parent.forget(id, "response")
    if (call === undefined) return
    call.final = kind
    if (kind === Kind.Interrupted) assert.isTrue(call.isCancelled, "interrupted without being cancelled")
    else {
      assert.strictEqual(kind, call.answer?.kind)
      assert.isTrue(call.answer?.body.equals(large ?? body), "a result is another one")
    }
  }
}

describe("Link, under stress", () => {
  it("delivers the final frame of every call once, and holds nothing afterwards", () => {
    const finals = new Map<number | undefined, number>()
    withSeeds(30, (random) => {
      const model = new Model(random)
      const step = () => model.ends[random() < 0.5 ? 0 : 1].step()
      for (let left = 120; left > 0;) {
        const chance = random()
        if (chance < 0.05) {
          left--
          model.call()
        } else if (chance < 0.06) model.cancelOne()
        else if (chance < 0.12) model.answerOne()
        else step()
      }
      for (let idle = 0; idle < 50; idle = step() ? 0 : idle + 1) if (random() < 0.1) model.answerOne()
      while (model.held.size > 0) {
        model.answerOne()
        for (let idle = 0; idle < 50; idle = step() ? 0 : idle + 1);
      }
      for (const { final } of model.calls) {
        assert.isDefined(final)
        finals.set(final, (finals.get(final) ?? 0) + 1)
      }
      for (let id = 0; id <= 121; id++) {
        for (const link of [model.parent, model.runner]) {
          for (const direction of ["request", "response"] as const) {
            assert.isFalse(link.abandon(id, direction), `${direction} ${id} is still leaving`)
            assert.isFalse(link.forget(id, direction), `${direction} ${id} is still coming`)
          }
        }
      }
    })
    assert.deepStrictEqual(new Set(finals.keys()), new Set([Kind.Success, Kind.Failure, Kind.Interrupted]))
    assert.isAbove(finals.get(Kind.Interrupted) ?? 0, 50)
  })
})
