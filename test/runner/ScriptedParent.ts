/** A parent whose frames a test sends one by one, over a pipe in memory. Decodes the frames of its runner. */
import * as Effect from "effect/Effect"
import * as Deferred from "effect/Deferred"
import type { BootFailure } from "../../src/error/BootFailure.ts"
import type { AnyImplemented } from "../../src/function/FlameFunction.ts"
import * as FunctionCodec from "../../src/function/FunctionCodec.ts"
import { RunnerServer } from "../../src/runner/RunnerServer.ts"
import { isFinal, json, Kind, kindName } from "../../src/wire/Frame.ts"
import type { Welcome } from "../../src/wire/Handshake.ts"
import { encodeHead, type Extras, type SpanIds } from "../../src/wire/Request.ts"
import { memoryPair, type MemoryTransport } from "../../src/wire/Transport.ts"
import { none, u32 } from "../wire/kit.ts"
import { type Message, type Probe, probe } from "../wire/probe.ts"
import { until } from "../wire/network/sockets.ts"

export const terms: Welcome = {
  cancelGrace: 5_000,
  drainTimeout: 30_000,
  maxPayload: 10_000_000,
  maxResult: 10_000_000
}

export interface RequestOptions {
  readonly isTimed?: boolean
  readonly id?: number
  readonly budget?: number
  readonly span?: SpanIds
  readonly extras?: Extras
}

/** The decoded final frame of a call: its kind, and its value, error or JSON. */
export interface Final {
  readonly kind: string
  readonly value?: unknown
}

export class ScriptedParent {
  readonly probe: Probe
  readonly server: RunnerServer
  /** The parent's end of the pipe. */
  readonly transport: MemoryTransport
  private readonly functions: ReadonlyArray<AnyImplemented>
  private readonly asked = new Map<number, AnyImplemented>()
  private lastId = 0

  constructor(functions: ReadonlyArray<AnyImplemented>, context: RunnerServer["options"]["context"]) {
    const [own, theirs] = memoryPair()
    this.functions = functions
    this.transport = own
    this.probe = probe(own)
    this.server = new RunnerServer({
      transport: theirs,
      info: { id: "r1", pool: "app/Pool", parent: "process 7" },
      life: "life-1",
      build: "build-1",
      functions,
      context
    })
  }

  get link() {
    return this.probe.link
  }

  /** Kinds of all frames received, in order. */
  get heard(): ReadonlyArray<string> {
    return this.probe.messages.map(({ kind }) => kindName(kind))
  }

  welcome(changes: Partial<Welcome> = {}): void {
    this.link.send(Kind.Welcome, 0, none, json({ ...terms, ...changes }))
  }

  /** Sends a Request. Returns the id of the call. */
  request(fn: AnyImplemented, payload: unknown, options: RequestOptions = {}): number {
    const id = options.id ?? ++this.lastId
    const head = encodeHead(this.functions.indexOf(fn), options.budget, options.span, options.extras, options.isTimed)
    this.asked.set(id, fn)
    const encoding = FunctionCodec.of(fn).payload.encodeEffect(payload) as Effect.Effect<Uint8Array>
    this.link.send(Kind.Request, id, head, Effect.runSync(encoding))
    return id
  }

  cancel(id: number): void {
    this.link.abandon(id, "request")
    this.link.control(Kind.Cancel, id)
  }

  drain(budget: number): void {
    this.link.control(Kind.Drain, 0, u32(budget))
  }

  /** The final frames of a call so far. */
  finals(id: number): ReadonlyArray<Message> {
    return this.probe.messages.filter((message) => message.id === id && isFinal(message.kind))
  }

  /** Waits for the final frame of a call. */
  final(id: number): Effect.Effect<Final> {
    return Effect.gen({ self: this }, function* () {
      yield* when(() => this.finals(id).length > 0)
      const fn = this.asked.get(id)
      const [first] = this.finals(id)
      if (fn === undefined || first === undefined) return yield* Effect.die(new Error(`no call ${id}`))
      const codec = FunctionCodec.of(fn)
      const kind = kindName(first.kind)
      switch (first.kind) {
        case Kind.Success:
          return {
            kind,
            value: yield* Effect.orDie(codec.success.decodeEffect(first.body, true)) as Effect.Effect<unknown>
          }
        case Kind.Failure:
          return {
            kind,
            value: yield* Effect.orDie(codec.error.decodeEffect(first.body, true)) as Effect.Effect<unknown>
          }
        default:
          return first.body.length === 0 ? { kind } : { kind, value: JSON.parse(String(first.body)) }
      }
    })
  }

  /** Sends a Request and waits for the final frame. */
  call(fn: AnyImplemented, payload: unknown, options?: RequestOptions): Effect.Effect<Final> {
    return Effect.suspend(() => this.final(this.request(fn, payload, options)))
  }

  /** Completes with the runner's session. */
  get done(): Effect.Effect<void, BootFailure> {
    return Deferred.await(this.server.done)
  }

  get isDone(): boolean {
    return Deferred.isDoneUnsafe(this.server.done)
  }
}

/** Lets the event loop turn until the condition holds. */
export const when = (condition: () => boolean): Effect.Effect<void> => Effect.promise(() => until(condition))

/** Runs everything that is due, fibers included. */
export const settled: Effect.Effect<void> = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
})

/** A runner that has sent Hello, with the context of the test. It waits that many milliseconds for Welcome. */
export const introduced = <R = never>(
  functions: ReadonlyArray<AnyImplemented>,
  patience?: number
): Effect.Effect<ScriptedParent, never, R> =>
  Effect.contextWith((context) =>
    Effect.gen(function* () {
      const parent = new ScriptedParent(functions, context)
      parent.server.start(patience)
      yield* when(() => parent.heard.length > 0)
      return parent
    })
  )

/** A runner that has got Welcome. */
export const session = <R = never>(
  functions: ReadonlyArray<AnyImplemented>,
  changes?: Partial<Welcome>
): Effect.Effect<ScriptedParent, never, R> =>
  Effect.map(introduced<R>(functions), (parent) => {
    parent.welcome(changes)
    return parent
  })
