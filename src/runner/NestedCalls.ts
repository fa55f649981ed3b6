/**
 * The runner's side of the calls that functions make: relays them to the parent over the connection of the runner, because
 * only the parent has pools. A nested call belongs to the call whose function makes it, and ends with that call.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"
import * as CallSpan from "../function/CallSpan.ts"
import * as EncodePayload from "../function/EncodePayload.ts"
import { FlameError, PayloadTooLarge, PoolMissing, QueueFull, type Reason } from "../error/FlameError.ts"
import { confine } from "../error/Unhandled.ts"
import * as FlameErrorCodec from "../function/FlameErrorCodec.ts"
import type { AnyFunction } from "../function/FlameFunction.ts"
import * as FunctionCodec from "../function/FunctionCodec.ts"
import { Kind, kindName } from "../wire/Frame.ts"
import type { Link } from "../wire/Link.ts"
import type { Extras } from "../wire/Request.ts"
import * as NestedHead from "../wire/NestedHead.ts"
import { OpenIds } from "../wire/OpenIds.ts"
import { tellStopped, untilStopped } from "../call/StopWaiters.ts"
import { decodeRunner } from "../call/DefectOrigin.ts"
import * as Outcome from "../call/Outcome.ts"
import * as ExtrasSent from "../call/ExtrasSent.ts"
import * as Propagate from "../function/Propagate.ts"
import type { CurrentCall, Nesting, Wanted } from "../function/Current.ts"
import type { AnyEffect } from "../function/AnyEffect.ts"

/** A nested call without a final frame. */
interface Open {
  readonly id: number
  readonly fn: AnyFunction
  readonly current: CurrentCall
  readonly wanted: Wanted
  readonly size: number
  readonly resume: (exit: Outcome.CallExit) => void
  /** The span of the call, where there is a tracer, and the context that the span belongs to. */
  readonly span: Tracer.Span | undefined
  readonly context: Context.Context<never>
  /** The fibers that wait for the end of a nested call that was given up. */
  stopped: Array<() => void> | undefined
  isGivenUp: boolean
}

const noStreams = "a function can call and cast; streams are taken by the parent only"

export class NestedCalls implements Nesting {
  private readonly open = new OpenIds<Open>()
  /** The last target of each function, which is mostly the next one too. */
  private readonly targets = new WeakMap<Wanted["fn"], NestedHead.NestedTarget>()
  private readonly link: Link
  private readonly maxPayload: () => number
  /** Bytes of payloads whose calls have not ended. */
  private size = 0
  /** Calls that wait until fewer bytes are in flight. */
  private readonly waiting = new Set<() => void>()

  constructor(link: Link, maxPayload: () => number) {
    this.link = link
    this.maxPayload = maxPayload
  }

  /** Makes a call for a function. */
  relay(current: CurrentCall, caller: Fiber.Fiber<unknown, unknown>, wanted: Wanted): AnyEffect {
    // every function that can be called was declared
    const fn = wanted.fn as AnyFunction
    const codec = FunctionCodec.of(fn)
    return EncodePayload.encode(codec, fn, wanted.payload, (bytes) =>
      // Copied: the function may detach its buffer while the payload is sent in parts. Only the parent has a handler that
      // then fails the call (`RunnerHandle.request`); a nested call would never be answered.
      this.send(current, caller, wanted, bytes === wanted.payload ? new Uint8Array(bytes) : bytes)
    )
  }

  private send(
    current: CurrentCall,
    caller: Fiber.Fiber<unknown, unknown>,
    wanted: Wanted,
    bytes: Uint8Array
  ): AnyEffect {
    const refusal = this.refusal(current, wanted, bytes.length)
    if (refusal !== undefined) return Effect.fail(new FlameError({ reason: refusal }))
    // Waits for room: the parent ends the session of a runner that sends a nested call above this limit.
    if (this.size >= NestedHead.limits.mostHeld) {
      return Effect.flatMap(this.room, () => this.send(current, caller, wanted, bytes))
    }
    return Effect.callback<unknown, unknown, unknown>((resume) => {
      const open = this.start(current, caller, wanted, bytes, resume)
      return Effect.suspend(() => this.interrupt(open))
    })
  }

  /** Completes when a nested call has ended. */
  private readonly room: Effect.Effect<void> = Effect.callback((resume) => {
    const go = () => resume(Effect.void)
    this.waiting.add(go)
    return Effect.sync(() => this.waiting.delete(go))
  })

  /** Takes the final frame of a nested call. */
  final(kind: number, id: number, body: Buffer, large: Uint8Array | undefined): void {
    const open = this.open.get(id)
    if (open === undefined) return this.link.violate(`a ${kindName(kind)} frame for a nested call that is not there`)
    this.remove(open)
    if (open.isGivenUp) return tellStopped(open)
    answer(open, this.read(open, kind, body, large))
  }

  /** Allows a large result, or returns why it is refused. */
  accept(kind: number, id: number): string | undefined {
    return this.open.get(id) !== undefined ? undefined : `a large ${kindName(kind)} for a nested call that is not there`
  }

  /** Ends the nested calls of a call that has ended. */
  end(current: CurrentCall): void {
    for (const open of this.open) if (open.current === current) this.abandon(open, "its call has ended")
  }

  /** Fails all nested calls of a session that is over. */
  closed(): void {
    this.wake()
    for (const open of this.open) {
      this.remove(open)
      if (open.isGivenUp) tellStopped(open)
      else this.tell(open, "the connection to its parent is gone")
    }
  }

  /** Refuses a call that is beyond the limits of the parent, which would end the session of the runner. */
  private refusal(current: CurrentCall, { fn, pool }: Wanted, size: number): Reason | undefined {
    if (current.isOver || this.link.closed) return missing(fn.name, pool, "the call that it belongs to has ended")
    if (fn.stream) return missing(fn.name, pool, noStreams)
    const full = (waiting: number, capacity: number) => new QueueFull({ pool, function: fn.name, waiting, capacity })
    if (this.open.size >= NestedHead.maxOpen) return full(this.open.size, NestedHead.maxOpen)
    if (current.nested >= NestedHead.maxOpenOfCall) return full(current.nested, NestedHead.maxOpenOfCall)
    const limit = this.maxPayload()
    return size > limit ? new PayloadTooLarge({ function: fn.name, size, limit, direction: "payload" }) : undefined
  }

  private start(
    current: CurrentCall,
    caller: Fiber.Fiber<unknown, unknown>,
    wanted: Wanted,
    bytes: Uint8Array,
    resume: (exit: Outcome.CallExit) => void
  ): Open {
    const fn = wanted.fn as AnyFunction
    const { around, extras, span } = crossing(current, caller, wanted)
    const open: Open = {
      id: this.open.next,
      fn,
      current,
      wanted,
      size: bytes.length,
      resume,
      span,
      context: caller.context,
      stopped: undefined,
      isGivenUp: false
    }
    this.open.add(open)
    this.size += open.size
    current.nested++
    const own = wanted.timeout ?? fn.timeout
    const head = NestedHead.encode(
      current.callId,
      this.targetOf(wanted, own === Infinity),
      // a cast may outlive the call that makes it
      budgetOf(own, wanted.cast ? undefined : current.remaining),
      span ?? around,
      extras
    )
    // bytes are their own encoding, and a large payload is sent by reference: nobody waits for a cast before its
    // caller may change them
    this.link.send(Kind.Nested, open.id, head, wanted.cast && bytes === wanted.payload ? bytes.slice() : bytes)
    return open
  }

  private targetOf({ cast, fn, pool }: Wanted, isUnbounded: boolean): NestedHead.NestedTarget {
    const last = this.targets.get(fn)
    if (last?.pool === pool && last.cast === cast && last.isUnbounded === isUnbounded) return last
    const { idempotent, layout, name } = fn
    const target = { pool, name, layout, idempotent, cast, isUnbounded }
    this.targets.set(fn, target)
    return target
  }

  /** Cancels the call of an interrupted fiber, and waits for its end. */
  private interrupt(open: Open): Effect.Effect<void> {
    if (this.open.get(open.id) !== open) return Effect.void
    const stopped = untilStopped(open, () => this.link.closed || this.open.get(open.id) !== open)
    if (open.isGivenUp) return stopped
    this.giveUp(open)
    const exit = endSpan(open, Exit.interrupt())
    // the interrupted fiber receives what its tracer throws
    return Exit.hasDies(exit) ? Effect.andThen(stopped, exit) : stopped
  }

  /** Gives up a nested call whose fiber still waits: cancels the call and fails the fiber. */
  private abandon(open: Open, why: string): void {
    if (open.isGivenUp) return
    this.giveUp(open)
    this.tell(open, why)
  }

  private giveUp(open: Open): void {
    open.isGivenUp = true
    this.link.abandon(open.id, "request")
    this.link.control(Kind.NestedCancel, open.id)
  }

  private tell(open: Open, why: string): void {
    answer(open, Exit.fail(new FlameError({ reason: missing(open.fn.name, open.wanted.pool, why) })))
  }

  private remove(open: Open): void {
    this.open.delete(open.id)
    this.size -= open.size
    open.current.nested--
    this.link.forget(open.id, "response")
    if (this.waiting.size > 0) this.wake()
  }

  private wake(): void {
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const go of waiting) confine(go)
  }

  private read({ fn, wanted }: Open, kind: number, body: Buffer, large: Uint8Array | undefined): Outcome.CallExit {
    if (kind === Kind.Refused) return Exit.fail(FlameErrorCodec.decode(large ?? body))
    if (wanted.cast) return Exit.void
    if (kind !== Kind.Defect) return Outcome.read(fn.name, FunctionCodec.of(fn), kind, body, large, "")
    const { end, runner } = decodeRunner(body)
    return Outcome.read(fn.name, FunctionCodec.of(fn), kind, body.subarray(end), large, runner)
  }
}

/** The span and the extras of a nested call. */
interface Crossing {
  readonly span: Tracer.Span | undefined
  readonly around: Tracer.AnySpan | undefined
  readonly extras: Extras | undefined
}

const nothing: Crossing = { span: undefined, around: undefined, extras: undefined }

const crossing = (current: CurrentCall, caller: Fiber.Fiber<unknown, unknown>, { fn, pool }: Wanted): Crossing => {
  const { context } = caller
  if (context === current.plainContext && !Propagate.hasAny()) return nothing
  const around = Context.getOrUndefined(context as Context.Context<Tracer.ParentSpan>, Tracer.ParentSpan)
  const extras = ExtrasSent.of(caller)
  if (!CallSpan.isTraced(context)) {
    if (around === undefined && extras === undefined) current.plainContext = context
    return { span: undefined, around, extras }
  }
  const span = CallSpan.begin(context, "Flame.call", "client")
  span.attribute("flame.function", fn.name)
  span.attribute("flame.pool", pool)
  return { span, around, extras }
}

const endSpan = <E extends Outcome.CallExit>({ context, span }: Open, exit: E): E | Exit.Exit<never, never> =>
  span === undefined ? exit : CallSpan.endWith(context, span, exit)

/** Gives a nested call its exit. The observers of its fiber are code of the program. */
const answer = (open: Open, exit: Outcome.CallExit): void => {
  const told = endSpan(open, exit)
  confine(() => open.resume(told))
}

const missing = (name: string, pool: string, detail: string) => new PoolMissing({ pool, function: name, detail })

const budgetOf = (own: number | undefined, remaining: number | undefined): number | undefined => {
  const budget = Math.min(own ?? Infinity, remaining ?? Infinity)
  return budget === Infinity ? undefined : budget
}
