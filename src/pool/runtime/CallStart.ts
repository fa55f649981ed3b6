/** Starts calls: collects the extras of the caller, encodes the payload, and submits a `Call` to the engine. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as CallSpan from "../../function/CallSpan.ts"
import { FlameError, PayloadTooLarge } from "../../error/FlameError.ts"
import type { AnyFunction } from "../../function/FlameFunction.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import type { AnyService } from "../../function/PlacedService.ts"
import * as Propagate from "../../function/Propagate.ts"
import * as ExtrasSent from "../../call/ExtrasSent.ts"
import { Items } from "../../call/Items.ts"
import { isBare } from "../../schema/SchemaCodec.ts"
import type { SpanIds } from "../../wire/Request.ts"
import { Call, type CallExit, type CallObserver, type CallTerms } from "../engine/Call.ts"
import { CallExplain } from "./CallExplain.ts"
import { Explain } from "../status/CallTimes.ts"
import { CallTrace } from "./CallTrace.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"
import { Runner } from "./Runner.ts"
import type { AnyEffect } from "../../function/AnyEffect.ts"

type Caller = Fiber.Fiber<unknown, unknown>

/**
 * Calls a function on a runner of the pool, for the fiber that runs the effect. A streaming function returns a Pull,
 * and its call belongs to the Scope.
 */
export const call = (
  engine: PoolEngine,
  caller: Caller,
  fn: AnyFunction,
  payload: unknown,
  timeout: number | undefined
): AnyEffect => {
  const codec = FunctionCodec.of(fn)
  return codec.encodePayload(payload, (bytes) => start(engine, caller, fn, codec, bytes, timeout))
}

const start = (
  engine: PoolEngine,
  caller: Caller,
  fn: AnyFunction,
  codec: FunctionCodec.FunctionCodec,
  bytes: Uint8Array,
  timeout: number | undefined
): AnyEffect => {
  if (bytes.length > engine.settings.maxPayload) return tooLarge(engine, fn, bytes)
  if (caller.context === engine.plainContext && Propagate.registered.size === 0) {
    // `timeout: Infinity` on a call means no budget, and overrides the timeout of the function and of the pool
    const budget = timeout === Infinity ? undefined : (timeout ?? fn.timeout ?? engine.settings.timeout)
    return run(engine, fn, codec, bytes, budget === undefined ? plain : { ...plain, timeout: budget }, undefined)
  }
  const explain = explainOf(engine, caller)
  if (!CallSpan.isTraced(caller.context)) {
    return run(engine, fn, codec, bytes, termsOf(engine, caller, fn, timeout, undefined, false), explain)
  }
  const trace = new CallTrace(engine, caller.context, fn, explain)
  return run(engine, fn, codec, bytes, termsOf(engine, caller, fn, timeout, trace.span, false), trace)
}

const explainOf = (engine: PoolEngine, caller: Caller): CallExplain | undefined => {
  const tell = Context.getOrUndefined(caller.context as Context.Context<Explain>, Explain)
  return tell === undefined ? undefined : new CallExplain(engine, tell)
}

/** Hands a call over to the pool. `failed` receives the exit of a call that fails later. */
export const cast = (
  engine: PoolEngine,
  caller: Caller,
  fn: AnyFunction,
  payload: unknown,
  timeout: number | undefined,
  failed: (exit: Exit.Exit<unknown, unknown>) => void
): AnyEffect => {
  const codec = FunctionCodec.of(fn)
  return codec.encodePayloadLater(payload, (bytes) => {
    if (bytes.length > engine.settings.maxPayload) return tooLarge(engine, fn, bytes)
    const parent = Context.getOrUndefined(caller.context as Context.Context<Tracer.ParentSpan>, Tracer.ParentSpan)
    const terms = termsOf(engine, caller, fn, timeout, CallSpan.isTraced(caller.context) ? parent : undefined, true)
    // Bytes are their own encoding, and the caller of a cast may change them before they are sent.
    const own = bytes === payload ? new Uint8Array(bytes) : bytes
    let accepted = false
    let refusal: CallExit | undefined
    const resume = (exit: CallExit) => {
      if (!accepted && Exit.isExit(exit) && Exit.isFailure(exit)) refusal = exit
      else if (Exit.isExit(exit)) failed(exit)
      else Effect.runForkWith(caller.context as Context.Context<unknown>)(exit).addObserver(failed)
    }
    const call = new Call(engine, fn, codec, own, terms, engine.now(), resume)
    const explain = explainOf(engine, caller)
    if (explain !== undefined) call.trace = explain
    engine.submit(call)
    accepted = true
    return refusal ?? Effect.void
  })
}

/** Places a service for a fiber, and returns its client. `ServicePlacing` is loaded when it is first needed. */
export const place = (
  engine: PoolEngine,
  caller: Caller,
  service: AnyService,
  payload: unknown,
  timeout: number | undefined
): Effect.Effect<object, unknown, unknown> => {
  const parent = Context.getOrUndefined(caller.context as Context.Context<Tracer.ParentSpan>, Tracer.ParentSpan)
  const span = CallSpan.isTraced(caller.context) ? parent : undefined
  const terms = termsOf(engine, caller, service, timeout, span, false)
  const limit = engine.settings.maxPayload
  const refuse = (bytes: Uint8Array) => {
    if (bytes.length <= limit) return undefined
    const reason = new PayloadTooLarge({ function: service.name, size: bytes.length, limit, direction: "payload" })
    return Effect.fail(new FlameError({ reason }))
  }
  return Effect.flatMap(
    Effect.promise(() => import("./ServicePlacing.ts")),
    (ServicePlacing) => ServicePlacing.place(engine, caller, service, payload, terms, refuse)
  )
}

const run = (
  engine: PoolEngine,
  fn: AnyFunction,
  codec: FunctionCodec.FunctionCodec,
  bytes: Uint8Array,
  terms: CallTerms,
  trace: CallObserver | undefined
): AnyEffect => {
  if (fn.stream) return open(engine, fn, codec, bytes, terms, trace)
  return Effect.callback<unknown, unknown, unknown>((resume) => {
    const call = new Call(engine, fn, codec, bytes, terms, engine.now(), resume)
    if (trace !== undefined) call.trace = trace
    engine.submit(call)
    if (call.state === "waiting" && !isBare(fn.payload)) call.park()
    return call
  })
}

/** Calls a streaming function. Returns a Pull of its items, which belongs to the Scope of the fiber. */
const open = (
  engine: PoolEngine,
  fn: AnyFunction,
  codec: FunctionCodec.FunctionCodec,
  bytes: Uint8Array,
  terms: CallTerms,
  trace: CallObserver | undefined
): AnyEffect =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.suspend(() => {
        const items = new Items(codec)
        const call = new Call(engine, fn, codec, bytes, terms, engine.now(), (exit) => items.end(exit))
        items.call = call
        if (trace !== undefined) call.trace = trace
        call.messages = items
        engine.submit(call)
        const close = (exit: Exit.Exit<unknown, unknown>) =>
          Effect.suspend(() => {
            items.close()
            // The stream has failed with `TimedOut`: finalizers on the runner end in the background.
            if (call.phase === "stopping") return Effect.void
            // A consumer that has taken enough ends its Scope without an interruption.
            return isInterrupted(exit) ? engine.interrupt(call) : engine.finish(call)
          })
        return Effect.as(Scope.addFinalizerExit(scope, close), items.pull)
      })
    )
  )

const isInterrupted = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)

const tooLarge = (engine: PoolEngine, fn: AnyFunction, bytes: Uint8Array): AnyEffect => {
  const limit = engine.settings.maxPayload
  const reason = new PayloadTooLarge({ function: fn.name, size: bytes.length, limit, direction: "payload" })
  return Effect.fail(new FlameError({ reason }))
}

const plain: CallTerms = {
  span: undefined,
  extras: undefined,
  timeout: undefined,
  lease: -1,
  leasedRunner: undefined,
  cast: false
}

/** The terms of a call. Calls without span, extras, lease and budget share one object. */
const termsOf = (
  engine: PoolEngine,
  fiber: Caller,
  fn: AnyFunction,
  timeout: number | undefined,
  span: SpanIds | undefined,
  cast: boolean
): CallTerms => {
  const extras = ExtrasSent.of(fiber)
  // `timeout: Infinity` on a call means no budget, and overrides the timeout of the function and of the pool
  const budget = timeout === Infinity ? undefined : (timeout ?? fn.timeout ?? engine.settings.timeout)
  // A cast runs on any runner, because a `withRunner` may end before it.
  let leased = cast ? undefined : Context.getOrUndefined(fiber.context as Context.Context<Runner>, Runner)
  while (leased !== undefined && leased.engine !== engine) leased = leased.outer
  const isExplained = Context.getOrUndefined(fiber.context as Context.Context<Explain>, Explain) !== undefined
  const isPlain = extras === undefined && span === undefined && leased === undefined && !cast && !isExplained
  // A traced context without a span still makes a span for each call.
  if (isPlain && !CallSpan.isTraced(fiber.context)) {
    // The next call with this context needs none of these look-ups.
    engine.plainContext = fiber.context
    if (budget === undefined) return plain
  }
  return { span, extras, timeout: budget, lease: leased?.lease ?? -1, leasedRunner: leased?.id, cast }
}
