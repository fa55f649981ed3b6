/** A pool whose only runner is a test, which writes every frame by hand and grants credit explicitly. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Backend } from "../../../src/backend/Backend.ts"
import { Crashed } from "../../../src/error/BootFailure.ts"
import type { AnyFunction } from "../../../src/function/FlameFunction.ts"
import type { PoolOptions } from "../../../src/pool/option/PoolOptions.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { json, Kind, protocol } from "../../../src/wire/Frame.ts"
import * as NestedHead from "../../../src/wire/NestedHead.ts"
import { memoryPair, type Transport } from "../../../src/wire/Transport.ts"
import { type Frame, frame, open } from "../../wire/kit.ts"

export class HostileRunner {
  /** The frames that the parent has sent. */
  readonly frames: Array<Frame> = []
  isClosed = false
  /** Frames that arrive together with the Hello. */
  afterHello: Buffer = Buffer.alloc(0)
  /** The number of bytes that the parent believes to wait in its connection. */
  buffered = 0
  private readonly own: Transport
  private readonly parents: Transport
  private rest: Buffer = Buffer.alloc(0)

  constructor() {
    const [parents, own] = memoryPair()
    this.parents = parents
    this.own = own
  }

  get transport(): Transport {
    const { parents } = this
    return {
      start: (handlers) => parents.start(handlers),
      write: (chunks) => parents.write(chunks),
      end: () => parents.end(),
      destroy: (error) => parents.destroy(error),
      atTurnEnd: (flush) => parents.atTurnEnd(flush),
      later: (flush) => parents.later(flush),
      buffered: () => this.buffered
    }
  }

  start(id: string, life: string, functions: ReadonlyArray<AnyFunction>): void {
    this.own.start({ data: (chunk) => this.data(chunk), drained: () => {}, closed: () => void (this.isClosed = true) })
    const served = functions.map(({ layout, name }) => [name, layout])
    const hello = json({ protocol, build: "hostile", runner: id, life, functions: served })
    this.own.write([Buffer.concat([frame(Kind.Hello, 0, hello), this.afterHello])])
  }

  say(kind: Kind, id: number, body: Uint8Array = new Uint8Array(0)): void {
    this.own.write([frame(kind, id, body)])
  }

  /** Sends a nested call, as a function on this runner does. */
  call(
    id: number,
    fn: AnyFunction,
    payload: Uint8Array,
    options: { readonly cast?: boolean; readonly name?: string } = {}
  ) {
    this.say(Kind.Nested, id, Buffer.concat([this.head(fn, options), payload]))
  }

  /** Announces a nested call with a large payload. */
  announce(id: number, fn: AnyFunction, total: number): void {
    this.say(Kind.OpenRequest, id, open(total, Kind.Nested, this.head(fn, {})))
  }

  /** Answers a call with bytes, in parts if they are large, as far as credit allows. */
  answer(id: number, bytes: Uint8Array): void {
    if (bytes.length <= 32 * 1024) return this.say(Kind.Success, id, bytes)
    this.say(Kind.OpenResponse, id, open(bytes.length, Kind.Success))
    let at = 0
    const more = (credit: number) => {
      const until = Math.min(bytes.length, at + credit)
      for (; at < until; at += 32 * 1024) {
        this.say(Kind.PartResponse, id, bytes.subarray(at, Math.min(until, at + 32 * 1024)))
      }
      at = until
    }
    this.onCredit.set(id, more)
    more(128 * 1024)
  }

  of(kind: Kind, id?: number): ReadonlyArray<Frame> {
    return this.frames.filter((frame) => frame.kind === kind && (id === undefined || frame.id === id))
  }

  private readonly onCredit = new Map<number, (credit: number) => void>()

  private head(fn: AnyFunction, { cast = false, name = fn.name }): Buffer {
    const [request] = this.of(Kind.Request)
    const target = { pool: Pool.key, name, layout: fn.layout, idempotent: false, cast, isUnbounded: true }
    return NestedHead.encode(request!.id, target, undefined, undefined, undefined)
  }

  private data(chunk: Uint8Array): void {
    this.rest = Buffer.concat([this.rest, chunk])
    while (this.rest.length >= 9) {
      const end = 9 + this.rest.readUInt32BE(0)
      if (this.rest.length < end) return
      const kind = this.rest[4]!
      const id = this.rest.readUInt32BE(5)
      const body = Buffer.from(this.rest.subarray(9, end))
      this.rest = this.rest.subarray(end)
      if (kind === Kind.CreditResponse) this.onCredit.get(id)?.(body.readUInt32BE(0))
      else this.frames.push({ kind, id, body })
    }
  }
}

/** The layer of a pool with this runner only. */
export const layer = (runner: HostileRunner, functions: ReadonlyArray<AnyFunction>, options: PoolOptions<never> = {}) =>
  Layer.provideMerge(
    Pool.layer({ max: 1, cancelGrace: "100 millis", drainTimeout: "100 millis", ...options }),
    Layer.succeed(
      Backend,
      Backend.of({
        name: "hostile",
        build: "test",
        defaults: { bootTimeout: 5_000, reasonGrace: 1 },
        launch: (spec) =>
          Effect.sync(() => {
            runner.start(spec.id, spec.life, functions)
            return {
              labels: {},
              phases: Stream.empty,
              connection: Effect.succeed(runner.transport),
              exit: Effect.never,
              bootFailure: () => new Crashed({ exitCode: null, detail: "?" }),
              kill: () => Effect.void
            }
          })
      })
    )
  )
