/**
 * The wire prototype: schema-typed calls, interruption both ways, spans only when a tracer is installed, loss of the
 * connection as a typed failure of every call in flight, credit-based streams.
 */
import { Cause, Context, Data, Effect, Exit, type Fiber, Queue, Scope, Stream, Tracer } from "effect"
import type { Duplex } from "node:stream"
import { framedConn, type Fn } from "./wire.ts"

export const K = {
  Request: 1,
  Success: 2,
  Failure: 3,
  Interrupt: 4,
  RequestTraced: 5,
  Chunk: 6,
  Credit: 7,
  Hello: 8
} as const
const none = new Uint8Array(0)
export class RunnerLost extends Data.TaggedError("RunnerLost")<{ readonly cause: unknown }> {}

type Pending = { fn: Fn<any, any, any>; resume: (e: Effect.Effect<any, any>) => void; chunk?: (b: Buffer) => void }
export const client = (conn: Duplex, when: (f: () => void) => void) => {
  let next = 1
  let lost: RunnerLost | undefined
  const pending = new Map<number, Pending>()
  const send = framedConn(
    conn,
    (kind, id, body) => {
      const p = pending.get(id)
      if (!p) return
      if (kind === K.Chunk) return p.chunk!(body)
      pending.delete(id)
      let exit: Exit.Exit<any, any>
      try {
        exit =
          kind === K.Success
            ? Exit.succeed(body.length === 0 ? undefined : p.fn.decodeSuccess(body))
            : p.fn.decodeExit(body)
      } catch (defect) {
        exit = Exit.die(defect)
      } // a bad frame only kills its own call
      p.resume(exit)
    },
    when
  )
  const fail = (cause: unknown) => {
    lost ??= new RunnerLost({ cause })
    const all = [...pending.values()]
    pending.clear()
    for (const p of all) p.resume(Exit.fail(lost))
  }
  conn.on("close", () => fail("closed"))
  conn.on("error", fail)
  const request = (id: number, fn: Fn<any, any, any>, payload: Uint8Array, span: Tracer.AnySpan | undefined) => {
    if (!span) return send(K.Request, id, fn.id, payload)
    const b = Buffer.allocUnsafe(25 + payload.length)
    b.write(span.traceId, 0, "hex")
    b.write(span.spanId, 16, "hex")
    b[24] = span.sampled ? 1 : 0
    b.set(payload, 25)
    send(K.RequestTraced, id, fn.id, b)
  }
  const start = <P, A, E>(
    fn: Fn<P, A, E>,
    payload: P,
    span: Tracer.AnySpan | undefined
  ): Effect.Effect<A, E | RunnerLost> =>
    Effect.callback<A, E | RunnerLost>((resume) => {
      if (lost) return resume(Exit.fail(lost))
      const id = next++
      pending.set(id, { fn, resume })
      request(id, fn, fn.encodePayload(payload), span)
      return Effect.sync(() => {
        if (pending.delete(id)) send(K.Interrupt, id, -1, none)
      })
    })
  const call = <P, A, E>(fn: Fn<P, A, E>, payload: P): Effect.Effect<A, E | RunnerLost> =>
    Effect.withFiber((fiber) => {
      // no tracing backend installed -> no span objects, no ids on the wire, but an existing parent is still propagated
      if (fiber.getRef(Tracer.Tracer) === Tracer.nativeTracer) {
        return start(fn, payload, Context.getOrUndefined(fiber.context, Tracer.ParentSpan))
      }
      return Effect.useSpan(fn.tag, { kind: "client" }, (span) => start(fn, payload, span))
    })
  const stream = <P, A, E>(fn: Fn<P, A, E>, payload: P, window = 32): Stream.Stream<A, E | RunnerLost> =>
    Stream.unwrap(
      Effect.gen(function* () {
        // unwrap gives the stream its own Scope
        const scope = yield* Effect.scope
        const id = next++
        const q = yield* Queue.unbounded<any, any>()
        if (lost) return Stream.fail(lost) as any
        pending.set(id, {
          fn,
          chunk: (b) => Queue.offerUnsafe(q, fn.decodeSuccess(b)),
          resume: (e) => {
            const x = e as Exit.Exit<any, any>
            Queue.failCauseUnsafe(q, Exit.isSuccess(x) ? Cause.fail(Cause.Done()) : x.cause)
          }
        })
        yield* Scope.addFinalizer(
          scope,
          Effect.sync(() => {
            if (pending.delete(id)) send(K.Interrupt, id, -1, none)
          })
        )
        request(id, fn, fn.encodePayload(payload), undefined)
        const credit = Buffer.allocUnsafe(4)
        credit.writeUInt32BE(window)
        send(K.Credit, id, -1, credit)
        let owed = 0
        return Stream.fromPull(
          Effect.succeed(
            Queue.takeAll(q).pipe(
              Effect.map((chunks: any) => {
                owed += chunks.length
                if (owed >= window / 2) {
                  const c = Buffer.allocUnsafe(4)
                  c.writeUInt32BE(owed)
                  owed = 0
                  send(K.Credit, id, -1, c)
                }
                return chunks.length === 1 ? chunks[0] : chunks.flat()
              })
            ) as any
          )
        ) as any
      }) as any
    ) as any
  return { call, stream }
}

export interface Served {
  fn: any
  handler?: (p: any) => Effect.Effect<any, any, any>
  stream?: (p: any) => Stream.Stream<any, any, any>
}
export const server = (
  conn: Duplex,
  fns: Array<Served>,
  when: (f: () => void) => void,
  services: Context.Context<never> = Context.empty()
) => {
  const byId: Array<Served> = []
  for (const f of fns) byId[f.fn.id] = f
  const fibers = new Map<number, Fiber.Fiber<any, any>>()
  const credits = new Map<number, { n: number; wake: (() => void) | undefined }>()
  const runFork = Effect.runForkWith(services as any)
  const nativeTracer = Context.get(services as Context.Context<any>, Tracer.Tracer) === Tracer.nativeTracer
  const respond = (id: number, fn: Fn<any, any, any>, exit: Exit.Exit<any, any>) => {
    fibers.delete(id)
    credits.delete(id)
    try {
      if (Exit.isSuccess(exit)) send(K.Success, id, -1, exit.value === undefined ? none : fn.encodeSuccess(exit.value))
      else send(K.Failure, id, -1, fn.encodeExit(exit))
    } catch (defect) {
      send(K.Failure, id, -1, fn.encodeExit(Exit.die(defect)))
    }
  }
  const send = framedConn(
    conn,
    (kind, id, body) => {
      switch (kind) {
        case K.Request:
        case K.RequestTraced: {
          const e = byId[body.readUInt16BE(0)]
          const traced = kind === K.RequestTraced
          let eff: Effect.Effect<any, any, any>
          try {
            const payload = e.fn.decodePayload(body.subarray(traced ? 27 : 2))
            eff = e.stream ? streamOut(id, e, e.stream(payload)) : e.handler!(payload)
          } catch (defect) {
            return respond(id, e.fn, Exit.die(defect))
          }
          if (traced) {
            const parent = Tracer.externalSpan({
              traceId: body.toString("hex", 2, 18),
              spanId: body.toString("hex", 18, 26),
              sampled: body[26] === 1
            })
            eff = nativeTracer
              ? Effect.withParentSpan(eff, parent)
              : Effect.withSpan(eff, e.fn.tag, { kind: "server", parent, captureStackTrace: false })
          } else if (!nativeTracer) eff = Effect.withSpan(eff, e.fn.tag, { kind: "server", captureStackTrace: false })
          const fiber = runFork(eff)
          const sync = fiber.pollUnsafe()
          if (sync) respond(id, e.fn, sync)
          else {
            fibers.set(id, fiber)
            fiber.addObserver((exit) => respond(id, e.fn, exit))
          }
          return
        }
        case K.Interrupt:
          return fibers.get(id)?.interruptUnsafe()
        case K.Credit: {
          const c = credits.get(id)
          if (c) {
            c.n += body.readUInt32BE(0)
            const w = c.wake
            c.wake = undefined
            w?.()
          }
        }
      }
    },
    when
  )
  const streamOut = (id: number, e: Served, s: Stream.Stream<any, any, any>) => {
    const credit = { n: 0, wake: undefined as (() => void) | undefined }
    credits.set(id, credit)
    return Stream.runForEachArray(s, (values) => {
      const go = Effect.sync(() => {
        credit.n--
        send(K.Chunk, id, -1, e.fn.encodeSuccess(values))
      })
      return credit.n > 0
        ? go
        : Effect.andThen(
            Effect.callback<void>((resume) => {
              credit.wake = () => resume(Effect.void)
            }),
            go
          )
    })
  }
  conn.on("close", () => {
    for (const f of fibers.values()) f.interruptUnsafe()
  })
}
