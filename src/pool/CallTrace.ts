/**
 * The spans of a call, made only where a tracer is installed: `Flame.call`, and below it `queue` and `boot` where the
 * call waited for more than a millisecond. The function's own span, `run`, is made by its runner.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { AnyFunction } from "../FlameFunction.ts"
import type { Call } from "./Call.ts"
import type { PoolEngine } from "./PoolEngine.ts"

/** A wait below this leaves no span, in milliseconds. */
const shown = 1

/** Runs a call in its span; `started` is to be told the call. */
export const traced = (
  engine: PoolEngine,
  fn: AnyFunction,
  run: (span: Tracer.Span, started: (call: Call) => void) => Effect.Effect<unknown, unknown, unknown>
): Effect.Effect<unknown, unknown, unknown> =>
  Effect.useSpan(
    "Flame.call",
    { kind: "client", attributes: { "flame.function": fn.name, "flame.pool": engine.pool } },
    (span) => {
      let call: Call | undefined
      const effect = run(span, (started) => {
        call = started
      })
      return Effect.onExit(effect, () =>
        Effect.withFiber((fiber) => {
          if (call !== undefined) addWaits(engine, fiber, span, call)
          return Effect.void
        })
      )
    }
  )

const addWaits = (engine: PoolEngine, fiber: Fiber.Fiber<unknown, unknown>, parent: Tracer.Span, call: Call): void => {
  const boot = engine.bootOf(call.ranOn)
  if (boot !== undefined) parent.attribute("flame.runner", boot.id)
  const until = call.dispatchedAt === 0 ? engine.now() : call.dispatchedAt
  if (until - call.submittedAt <= shown) return
  const tracer = fiber.getRef(Tracer.Tracer)
  const wall = fiber.getRef(Clock.Clock).currentTimeNanosUnsafe()
  const now = engine.now()
  const at = (time: number) => wall - BigInt(Math.round((now - time) * 1e6))
  const child = (name: string, from: number, to: number, attributes: Record<string, unknown>) => {
    const span = tracer.span({
      name,
      parent: Option.some(parent),
      annotations: Context.empty(),
      links: [],
      startTime: at(from),
      kind: "internal",
      root: false,
      sampled: parent.sampled
    })
    for (const key of Object.keys(attributes)) span.attribute(key, attributes[key])
    span.end(at(to), Exit.void)
  }
  child("queue", call.submittedAt, until, {})
  if (boot?.readyAt !== undefined && boot.readyAt > call.submittedAt) {
    const phases = Object.entries(boot.phases).map(([name, millis]) => [`flame.boot.${name}_ms`, Math.round(millis)])
    child("boot", boot.startedAt, boot.readyAt, { "flame.runner": boot.id, ...Object.fromEntries(phases) })
  }
}
