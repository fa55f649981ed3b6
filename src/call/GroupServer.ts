/**
 * Groups of Effect's RPC on a runner: each procedure is a function whose code is its handler, with its middleware around
 * it, in the context of its call.
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
import { ValueTooLarge } from "../schema/SchemaCodec.ts"
import type { ChannelServer } from "./ChannelServer.ts"
import type { OpenFunction } from "./Served.ts"
import * as StreamServer from "./StreamServer.ts"
import type { AnyEffect } from "../function/AnyEffect.ts"

type Streaming = Stream.Stream<unknown, unknown, unknown>

/** Runs what a streaming handler gives, to its end. */
export type Pump = (stream: Effect.Effect<Streaming, unknown, unknown>) => AnyEffect

/** The functions of a group, which find their handlers in the context that they run in. */
export const implement = (group: AnyGroup): ReadonlyArray<OpenFunction> => GroupFunctions.of(group).map(implemented)

// all requests of a parent are of one client
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

/** How requests for one procedure are handled. */
export class Handler {
  private readonly rpc: Rpc.AnyWithProps
  private readonly client: Rpc.ServerClient
  /** Where its handler is in a context. */
  private readonly entry: Context.Key<never, Rpc.Handler<string>>
  /** A context of the handler whose services are all in the context of every call. */
  private covered: Context.Context<never> | undefined

  constructor(rpc: Rpc.AnyWithProps, client: Rpc.ServerClient) {
    this.rpc = rpc
    this.client = client
    this.entry = Context.Service<never, Rpc.Handler<string>>(rpc.key)
  }

  /** Handles a request for the fiber that runs this; it fails with the Cause of what its handler or its middleware fail with. */
  run(payload: unknown, pump: Pump | undefined): AnyEffect {
    return Effect.withFiber((fiber) => {
      // not by the map of a context, which is made of all that is in it for each request
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
    // what is there already needs nothing around it
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

  /** In the context that the handler was built in, below that of the call. */
  private around(entry: Rpc.Handler<string>, fiber: Fiber.Fiber<unknown, unknown>, code: AnyEffect): AnyEffect {
    if (this.covered === entry.context) return code
    let isShared = true
    for (const [key, value] of entry.context.mapUnsafe) {
      const other: unknown = fiber.context.mapUnsafe.get(key)
      if (other === undefined && !fiber.context.mapUnsafe.has(key))
        return Effect.provideContext(code, Context.merge(entry.context, fiber.context))
      // a value that came with this call, such as its log level, will not be in the context of the next call
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
 * An interruption stays one: it is ours, or it is told as the defect that it is. An item that is too large is no failure of
 * the handler.
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

/** Nobody waits for what a handler gives: what it fails with is only logged, and no Cause at all is the answer. */
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
