/**
 * Serves groups of Effect's RPC on a runner. Each procedure becomes a function, whose code is the handler of the procedure
 * with its middleware around it, in the context of the call.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Headers from "effect/http/Headers"
import * as Rpc from "effect/rpc/Rpc"
import { RequestId } from "effect/rpc/RpcMessage"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as CallHeaders from "../function/CallHeaders.ts"
import { Current } from "../function/Current.ts"
import * as FunctionCodec from "../function/FunctionCodec.ts"
import * as GroupFunctions from "../function/GroupFunctions.ts"
import type { AnyGroup } from "../function/Servable.ts"
import type { LinkEnd } from "../wire/Channel.ts"
import { ValueTooLarge } from "../schema/bound/ValueLimits.ts"
import type { ChannelServer } from "./ChannelServer.ts"
import type { OpenFunction } from "./Served.ts"
import * as StreamServer from "./StreamServer.ts"
import type { AnyEffect } from "../function/AnyEffect.ts"

type Streaming = Stream.Stream<unknown, unknown, unknown>

/** Runs the stream of a handler to its end. */
export type Pump = (stream: Effect.Effect<Streaming, unknown, unknown>) => AnyEffect

/** The functions of a group. Each finds its handler in the context of its call. */
export const implement = (group: AnyGroup): ReadonlyArray<OpenFunction> => GroupFunctions.of(group).map(implemented)

// all requests of a parent have one client
const client = new Rpc.ServerClient(0)

const implemented = (fn: GroupFunctions.GroupFunction): OpenFunction => {
  const handler = new Handler(fn.rpc, client)
  const own = { ...fn, layout: fn.layout, "~R": undefined }
  if (!fn.stream) return { ...own, implementation: (payload) => handler.run(payload, undefined) }
  return {
    ...own,
    implementation: Effect.succeed,
    open: (end, max) => streaming(handler, FunctionCodec.of(fn), end, max)
  }
}

const streaming = (handler: Handler, codec: FunctionCodec.FunctionCodec, end: LinkEnd, max: number): ChannelServer => {
  const { channel, run } = StreamServer.serve(end, codec, max)
  return { channel, run: (payload) => Effect.flatMap(payload, (payload) => handler.run(payload, run)) }
}

let requests = 0

/** Handles the requests for one procedure. */
export class Handler {
  private readonly rpc: Rpc.AnyWithProps
  private readonly client: Rpc.ServerClient
  /** The key of the handler in a context. */
  private readonly entry: Context.Key<never, Rpc.Handler<string>>
  /** A context of the handler whose services are all in the context of every call. */
  private covered: Context.Context<never> | undefined

  constructor(rpc: Rpc.AnyWithProps, client: Rpc.ServerClient) {
    this.rpc = rpc
    this.client = client
    this.entry = Context.Service<never, Rpc.Handler<string>>(rpc.key)
  }

  /** Handles a request in the fiber that runs the effect. Fails with the Cause of the handler or its middleware. */
  run(payload: unknown, pump: Pump | undefined): AnyEffect {
    return Effect.withFiber((fiber) => {
      // `mapUnsafe` would make a map of the whole context for each request
      const entry = Context.getOrUndefined(fiber.context, this.entry)
      if (entry === undefined) return Effect.die(new Error(`no handler of ${this.rpc._tag} is provided on this runner`))
      const incoming = fiber.getRef(CallHeaders.Incoming)
      return this.around(entry, fiber, this.code(entry, payload, incoming, fiber, pump))
    })
  }

  private code(
    entry: Rpc.Handler<string>,
    payload: unknown,
    incoming: CallHeaders.CallHeaders | undefined,
    fiber: Fiber.Fiber<unknown, unknown>,
    pump: Pump | undefined
  ): AnyEffect {
    const { client, rpc } = this
    const headers = incoming?.headers === undefined ? Headers.empty : Headers.fromInput(incoming.headers)
    const requestId = RequestId(requests++)
    const options = { rpc, client, requestId, headers, payload }
    let code: AnyEffect
    let isUninterruptible = false
    try {
      const made: unknown = entry.handler(payload, options)
      const wrapper = Rpc.isWrapper(made as object) ? (made as Rpc.Wrapper<unknown>) : undefined
      isUninterruptible = wrapper?.uninterruptible === true
      const given = (wrapper === undefined ? made : wrapper.value) as AnyEffect | Streaming
      code = pump === undefined ? valueOf(given as AnyEffect) : pump(streamOf(given))
    } catch (defect) {
      code = Effect.die(defect)
    }
    // A value without an effect needs no middleware and no catch.
    if (isValue(code) && rpc.middlewares.size === 0 && incoming === undefined) return code
    const request = { isHandled: false }
    if (incoming?.discard === true) code = noted(code, request)
    for (const middleware of rpc.middlewares) {
      code = (Context.getUnsafe(fiber.context, middleware) as never as Around)(code, options)
    }
    code = Effect.catchCause(code, failed)
    if (incoming?.discard === true) code = discarded(code, request)
    return isUninterruptible ? Effect.uninterruptible(code) : code
  }

  /** Adds the services that the handler was built with. Services of the call take precedence. */
  private around(entry: Rpc.Handler<string>, fiber: Fiber.Fiber<unknown, unknown>, code: AnyEffect): AnyEffect {
    if (this.covered === entry.context) return code
    let isShared = true
    for (const [key, value] of entry.context.mapUnsafe) {
      const other: unknown = fiber.context.mapUnsafe.get(key)
      if (other === undefined && !fiber.context.mapUnsafe.has(key))
        return Effect.provideContext(code, Context.merge(entry.context, fiber.context))
      // A value that came with this call, such as its log level, will not be in the context of the next call.
      isShared &&= everyCallHas.has(key) || (value === other && isReferenceType(value))
    }
    if (isShared) this.covered = entry.context
    return code
  }
}

const everyCallHas: ReadonlySet<string> = new Set([Scope.Scope.key, Current.key])

const isReferenceType = (value: unknown): boolean =>
  (typeof value === "object" && value !== null) || typeof value === "function"

type Around = (code: AnyEffect, options: unknown) => AnyEffect

/**
 * Makes the Cause of a failure the error. An interruption stays an interruption, and an item that is too large stays a
 * defect: neither is a failure of the handler.
 */
const failed = (cause: Cause.Cause<unknown>): AnyEffect =>
  Cause.hasInterruptsOnly(cause) || cause.reasons.some(isTooLarge) ? Effect.failCause(cause) : Effect.fail(cause)

const isTooLarge = (reason: Cause.Reason<unknown>): boolean =>
  Cause.isDieReason(reason) &&
  (reason.defect instanceof StreamServer.ItemTooLarge || reason.defect instanceof ValueTooLarge)

const isValue = (code: AnyEffect): boolean => Exit.isExit(code) && Exit.isSuccess(code)

const valueOf = (code: AnyEffect): AnyEffect =>
  Exit.isExit(code) && Exit.isSuccess(code) && !Deferred.isDeferred(code.value)
    ? code
    : Effect.flatMap(code, (value) => (Deferred.isDeferred(value) ? Deferred.await(value) : Effect.succeed(value)))

const streamOf = (given: Streaming | AnyEffect): Effect.Effect<Streaming, unknown, unknown> =>
  Effect.isEffect(given)
    ? Effect.map(given, (queue) => Stream.fromQueue(queue as never) as Streaming)
    : Effect.succeed(given)

const noted = (code: AnyEffect, request: { isHandled: boolean }): AnyEffect =>
  Effect.suspend(() => {
    request.isHandled = true
    return code
  })

/** For a request without an answer: a failure of the handler is logged, and the answer is an empty Cause. */
const discarded = (code: AnyEffect, request: { readonly isHandled: boolean }): AnyEffect =>
  Effect.matchCauseEffect(code, {
    onSuccess: () => Effect.fail(Cause.empty),
    onFailure: (cause) => {
      if (!request.isHandled || Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
      const reason = cause.reasons[0]
      const told = reason?._tag === "Fail" ? (reason.error as Cause.Cause<unknown>) : cause
      return Effect.andThen(Effect.logError(told), Effect.fail(Cause.empty))
    }
  })
