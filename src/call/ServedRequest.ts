/**
 * The life of one request on the side that serves it: a call on its runner, or a request of a placed service.
 *
 *   start ──▶ the effect runs ──▶ its span ends ──▶ its Scope closes ──▶ its exit is encoded ──▶ the final frame is sent
 *
 * Code of the program runs at every step: the function, a tracer, finalizers, codecs. Whatever it throws ends this request
 * with a defect, and no other request.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { AnyEffect } from "../function/AnyEffect.ts"
import { builtin } from "../function/Builtin.ts"
import * as CallSpan from "../function/CallSpan.ts"
import { Kind } from "../wire/Frame.ts"
import type { SpanIds } from "../wire/Request.ts"
import * as Answer from "./Answer.ts"
import { callerOf } from "./ExtrasReceived.ts"
import { encodesAtOnce, type Served } from "./Served.ts"

type AnyExit = Exit.Exit<unknown, unknown>

/**
 * Runs a function with no store of any `AsyncLocalStorage`. Otherwise a store that one request enters would be seen by the
 * next request that came in the same turn.
 */
const outside = builtin("node:async_hooks").AsyncLocalStorage.snapshot()

const fork = (context: Context.Context<unknown>, code: AnyEffect): Fiber.Fiber<unknown, unknown> =>
  Effect.runForkWith(context)(code)

/** Begins the span of a request in its context. */
export type BeginSpan = (context: Context.Context<never>) => Tracer.Span

/** The session of a request. */
export interface RequestSession {
  /** The context of finalizers and encodings. */
  readonly around: Context.Context<never>
  /** Whether the session interrupts its requests: an interruption is then no fault of the function. */
  readonly isStopping: boolean
  /** The largest result or item that the other end accepts, in bytes. */
  readonly maxResult: number
}

export abstract class ServedRequest<Session extends RequestSession> {
  protected readonly session: Session
  readonly id: number
  readonly served: Served
  /** Whether the caller has cancelled. The caller then waits only for the end of the function, not for a result. */
  isCancelled = false
  /**
   * The Scope of the function. The Scope closes before the final frame is sent, so that the caller may rely on its
   * finalizers.
   */
  protected readonly scope: Scope.Closeable = Scope.makeUnsafe()
  private fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private span: Tracer.Span | undefined = undefined

  constructor(session: Session, id: number, served: Served) {
    this.session = session
    this.id = id
    this.served = served
  }

  /** Sends the final frame. */
  protected abstract send(kind: Kind, body: Uint8Array): void
  /** Takes the request out of its session: the final frame is sent. */
  protected abstract leave(): void

  /**
   * Runs an effect up to its first wait. If the effect has ended by then, returns its exit, which the caller must pass to
   * `ended`. Otherwise `ended` is called when the effect ends.
   */
  protected run(
    context: Context.Context<never>,
    caller: SpanIds | undefined,
    beginSpan: BeginSpan | undefined,
    effect: AnyEffect
  ): AnyExit | undefined {
    let code = effect
    if (beginSpan !== undefined) {
      try {
        this.span = beginSpan(context)
      } catch (defect) {
        code = Effect.die(defect)
      }
    }
    const span = this.span ?? (caller && callerOf(caller))
    const own = span === undefined ? context : Context.add(context, Tracer.ParentSpan, span)
    const fiber = outside(fork, own as Context.Context<unknown>, code)
    const exit = fiber.pollUnsafe()
    this.fiber = fiber
    if (exit === undefined) fiber.addObserver((exit) => this.ended(exit))
    return exit
  }

  /** Whether the end of the function is the end of the request: nothing is left to close, and nothing is encoded later. */
  get isPlain(): boolean {
    return this.scope.state._tag === "Empty" && encodesAtOnce(this.served)
  }

  /** Interrupts the function, or the encoding of its result. */
  stop(): void {
    this.fiber?.interruptUnsafe()
  }

  /** Takes the exit of the function. */
  ended(exit: AnyExit): void {
    const own = this.span === undefined ? exit : CallSpan.endWith(this.session.around, this.span, exit)
    const closing = Scope.closeUnsafe(this.scope, own)
    if (closing === undefined) return this.conclude(own)
    Effect.runForkWith(this.session.around)(closing).addObserver((closed) => this.conclude(withFinalizers(own, closed)))
  }

  /** Takes the exit of the function and its finalizers. */
  protected conclude(exit: AnyExit): void {
    const isStopped = Exit.isFailure(exit) && this.isStopped
    const [kind, body] = Answer.of(this.served, exit, isStopped, this.isCancelled)
    if (body instanceof Uint8Array) return this.reply(kind, body)
    const fiber = Effect.runForkWith(this.session.around as Context.Context<unknown>)(body)
    // A cancel interrupts this encoding, which may wait.
    this.fiber = fiber
    fiber.addObserver((encoded) => {
      if (Exit.isSuccess(encoded)) return this.reply(kind, encoded.value)
      const isOurs = Cause.hasInterruptsOnly(encoded.cause) && this.isStopped
      this.reply(...(isOurs ? Answer.interrupted : Answer.unencodable(exit, Cause.squash(encoded.cause))))
    })
  }

  /** Whether this side has interrupted the function. */
  private get isStopped(): boolean {
    return this.isCancelled || this.session.isStopping
  }

  /** Ends the request. A result above the limit is refused with its size. */
  protected reply(kind: Kind, body: Uint8Array): void {
    let answer: Answer.Answer = [kind, body]
    const limit = this.session.maxResult
    // Defects are exempt: their encoding bounds them, and the limit for results must not hide them.
    if (body.length > limit && kind !== Kind.Defect) answer = Answer.tooLarge(body.length, limit)
    try {
      this.send(...answer)
    } catch (defect) {
      // Thrown, for example, for bytes that were transferred to another thread.
      this.send(...Answer.died(defect))
    }
    this.leave()
  }
}

/** The exit of a function and its finalizers. A typed error and an interruption of the function stay what they are. */
const withFinalizers = (exit: AnyExit, closed: Exit.Exit<unknown, never>): AnyExit => {
  if (Exit.isSuccess(closed)) return exit
  if (Exit.isSuccess(exit)) return closed
  return Cause.hasDies(exit.cause) ? Exit.failCause(Cause.combine(exit.cause, closed.cause)) : exit
}
