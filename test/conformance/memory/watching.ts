/** Observes a pool from outside: runners at the backend, frames, spans, sleeping fibers. */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { toMillis } from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Tracer from "effect/Tracer"
import { Backend } from "../../../src/backend/Backend.ts"
import type * as MemoryBackend from "../../../src/backend/MemoryBackend.ts"
import { Parser } from "../../../src/wire/FrameParser.ts"
import type { Transport } from "../../../src/wire/Transport.ts"

/** Runners that exist at the backend now, and the largest number that ever did. */
export interface Tally {
  now: number
  peak: number
}

/** Counts runners between launch and the end of their scope, and observes the frames written to them. */
export const watched = <R>(
  runners: Tally,
  hooks: ReadonlyMap<number, () => void>,
  injections: Map<string, (bytes: Uint8Array) => void>,
  isUntold: boolean,
  layer: Layer.Layer<Backend | MemoryBackend.MemoryRunners, never, R>
): Layer.Layer<Backend | MemoryBackend.MemoryRunners, never, R> =>
  Layer.flatMap(layer, (context) => {
    const backend = Context.get(context, Backend)
    const launch: typeof backend.launch = (spec) =>
      Effect.gen(function* () {
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            runners.now++
            runners.peak = Math.max(runners.peak, runners.now)
          }),
          () => Effect.sync(() => void runners.now--)
        )
        const runner = yield* backend.launch(spec)
        return {
          ...runner,
          exit: isUntold ? Effect.never : runner.exit,
          connection: Effect.map(runner.connection, (transport) =>
            tapped(transport, hooks, (inject) => injections.set(spec.id, inject))
          )
        }
      })
    return Layer.succeedContext(Context.add(context, Backend, Backend.of({ ...backend, launch })))
  })

/** A tracer that keeps all spans, and counts how often each span ends. */
export const recording = (
  spans: Array<Tracer.Span>,
  ends: Map<Tracer.Span, number>,
  foreign: (by: string) => void = () => {}
): Tracer.Tracer =>
  Tracer.make({
    span(options) {
      foreign("tracer")
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      const { end } = span
      span.end = function (time, exit) {
        ends.set(span, (ends.get(span) ?? 0) + 1)
        end.call(span, time, exit)
        foreign("tracer")
      }
      return span
    }
  })

const tapped = (
  transport: Transport,
  hooks: ReadonlyMap<number, () => void>,
  injects: (inject: (bytes: Uint8Array) => void) => void
): Transport => {
  const parser = new Parser({ frame: (kind) => hooks.get(kind)?.(), part: () => {}, violation: assert.fail })
  return {
    start(handlers) {
      let isClosed = false
      transport.start({
        ...handlers,
        closed: (error) => {
          isClosed = true
          handlers.closed(error)
        }
      })
      injects((bytes) => {
        if (!isClosed) handlers.data(bytes)
      })
    },
    write(chunks) {
      const free = transport.write(chunks)
      for (const chunk of chunks) parser.push(chunk.slice())
      return free
    },
    end: () => transport.end(),
    destroy: (error) => transport.destroy(error),
    atTurnEnd: (flush) => transport.atTurnEnd(flush),
    later: (flush) => transport.later(flush)
  }
}

/** Runs an effect on a clock that knows the sleeping fibers and for how many milliseconds each sleeps. */
export const countingSleeps = <A, E, R>(
  use: (sleepers: ReadonlyMap<object, number>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Clock.clockWith((clock) => {
    const sleepers = new Map<object, number>()
    const counting: Clock.Clock = {
      ...clock,
      sleep: (duration) =>
        Effect.suspend(() => {
          const sleeper = {}
          sleepers.set(sleeper, toMillis(duration))
          return Effect.ensuring(
            clock.sleep(duration),
            Effect.sync(() => sleepers.delete(sleeper))
          )
        })
    }
    return Effect.provideService(use(sleepers), Clock.Clock, counting)
  })
