/**
 * The spans of a call, made only if a tracer is installed: `Flame.call` or `Flame.stream`. A call that waited for more than
 * a millisecond has the children `queue` and `boot`. The runner makes the span of the function, a child as well.
 */
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as CallSpan from "../../function/CallSpan.ts"
import type { AnyFunction } from "../../function/FlameFunction.ts"
import type { CallExplain } from "./CallExplain.ts"
import type { Call, CallObserver } from "../engine/Call.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"

/** Milliseconds that a wait must take to have a span. */
const shown = 1

/** The span of a call, from its submission to its answer. */
export class CallTrace implements CallObserver {
  readonly span: Tracer.Span
  /** The pool's time when the span began. */
  private readonly beganAt: number
  private readonly engine: PoolEngine
  private readonly context: Context.Context<never>
  private readonly explain: CallExplain | undefined

  constructor(engine: PoolEngine, context: Context.Context<never>, fn: AnyFunction, explain?: CallExplain) {
    this.engine = engine
    this.context = context
    this.explain = explain
    this.span = CallSpan.begin(context, fn.stream ? "Flame.stream" : "Flame.call", "client")
    this.beganAt = engine.now()
    this.span.attribute("flame.function", fn.name)
    this.span.attribute("flame.pool", engine.pool)
  }

  /** Ends the span with the exit of the call. */
  end(call: Call, exit: Exit.Exit<unknown, unknown>): void {
    // A tracer may throw for a child span. The span of the call ends all the same.
    try {
      this.describe(call)
    } finally {
      CallSpan.end(this.context, this.span, exit)
      this.explain?.end(call, exit)
    }
  }

  private describe(call: Call): void {
    const runner = this.engine.runners.get(call.ranOn)
    if (runner !== undefined) this.span.attribute("flame.runner", runner.id)
    const now = this.engine.now()
    const until = call.ranOn < 0 ? now : call.dispatchedAt
    this.span.attribute("flame.waited_ms", until - call.submittedAt)
    if (call.ranFor !== undefined) {
      this.span.attribute("flame.ran_ms", call.ranFor)
      this.span.attribute("flame.carried_ms", Math.max(0, now - until - call.ranFor))
    }
    if (until - call.submittedAt > shown) {
      this.child("queue", call.submittedAt, until, {})
      if (runner?.readyAt !== undefined && runner.readyAt > call.submittedAt) {
        const phases = Object.entries(runner.phases).map(([name, millis]) => [
          `flame.boot.${name}_ms`,
          Math.round(millis)
        ])
        const attributes = { "flame.runner": runner.id, ...Object.fromEntries(phases) }
        this.child("boot", runner.startedAt, runner.readyAt, attributes, runner.phases)
      }
    }
  }

  /** Makes a span between two past times of the pool. */
  private child(
    name: string,
    from: number,
    to: number,
    attributes: Readonly<Record<string, unknown>>,
    steps: Readonly<Record<string, number>> = {}
  ): void {
    // Counted from the start of the call, because a new reading of both clocks could put the span outside its parent.
    const at = (time: number) => this.span.status.startTime + BigInt(Math.round((time - this.beganAt) * 1e6))
    const span = Context.get(this.context, Tracer.Tracer).span({
      name,
      parent: Option.some(this.span),
      annotations: Context.empty(),
      links: [],
      startTime: at(from),
      kind: "internal",
      root: false,
      sampled: this.span.sampled
    })
    for (const key of Object.keys(attributes)) span.attribute(key, attributes[key])
    for (const [step, millis] of Object.entries(steps).toSorted(([, a], [, b]) => a - b)) {
      span.event(step, at(from + millis))
    }
    span.end(at(to), Exit.void)
  }
}
