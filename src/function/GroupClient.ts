/**
 * The client of an RpcGroup over anything that calls functions: Effect's own client, whose requests are calls.
 *
 * A procedure that gives one value and has no client middleware is called without Effect's client, as cheaply as a function.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Headers from "effect/http/Headers"
import * as Pull from "effect/Pull"
import type * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import type { FromServer, Request } from "effect/rpc/RpcMessage"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as CallHeaders from "./CallHeaders.ts"
import { FlameError, InvalidPayload } from "../error/FlameError.ts"
import * as GroupFunctions from "./GroupFunctions.ts"
import { problemsOf } from "../schema/SchemaProblems.ts"
import type { AnyEffect } from "./AnyEffect.ts"

type Caller = Fiber.Fiber<unknown, unknown>
type Chunk = readonly [unknown, ...Array<unknown>]
type Write = (message: FromServer<Rpc.Any>) => Effect.Effect<void>

/** Calls a function for a fiber. The result of a streaming function is a Pull, whose call belongs to the Scope. */
export type CallFunction = (caller: Caller, fn: GroupFunctions.GroupFunction, payload: unknown) => AnyEffect

interface RequestOptions {
  readonly headers?: Headers.Input | undefined
  readonly discard?: boolean | undefined
  readonly asQueue?: boolean | undefined
}
type Method = (payload: unknown, options?: RequestOptions) => unknown

/** Makes the client of a group. The client holds nothing that would have to be closed. */
export const make = <Rpcs extends Rpc.Any>(
  group: RpcGroup.RpcGroup<Rpcs>,
  call: CallFunction
): Effect.Effect<RpcClient.RpcClient<Rpcs, FlameError>, never, Rpc.MiddlewareClient<Rpcs>> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const functions = new Map(GroupFunctions.of(group).map((fn) => [fn.name, fn]))
    const answers: { write: Write } = { write: () => Effect.void }
    const stock = yield* RpcClient.makeNoSerialization(group, {
      // Calls have their own backpressure and spans.
      supportsAck: false,
      disableTracing: true,
      onFromClient: ({ message }) =>
        message._tag === "Request"
          ? (request(call, functions.get(message.tag)!, message, (message) => answers.write(message)) as never)
          : Effect.void
    }).pipe(Effect.provideService(Scope.Scope, Scope.makeUnsafe()))
    answers.write = stock.write
    const client: Record<string, Method> = {}
    for (const [tag, fn] of functions) {
      const method = guarded(fn, (stock.client as unknown as Record<string, Method>)[tag]!)
      const isPlain = !fn.stream && ![...fn.rpc.middlewares].some((_) => context.mapUnsafe.has(`${_.key}/Client`))
      client[tag] = isPlain ? (payload, options) => direct(call, fn, method, payload, options) : method
    }
    return client as never
  })

/** A call without Effect's client around it. */
const direct = (
  call: CallFunction,
  fn: GroupFunctions.GroupFunction,
  method: Method,
  payload: unknown,
  options: RequestOptions | undefined
): unknown => {
  if (options?.discard === true) return method(payload, options)
  return Effect.withFiber((fiber) => {
    const around = fiber.getRef(RpcClient.CurrentHeaders)
    const headers = options?.headers === undefined ? around : Headers.merge(around, Headers.fromInput(options.headers))
    return Effect.catchCause(sent(call, fiber, fn, payload, headers, false), told)
  })
}

/** Makes the call of a request, with its headers beside the payload. */
const sent = (
  call: CallFunction,
  caller: Caller,
  fn: GroupFunctions.GroupFunction,
  payload: unknown,
  headers: Headers.Headers,
  discard: boolean
): AnyEffect => {
  if (headers === Headers.empty && !discard) return call(caller, fn, payload)
  const names = Object.keys(headers)
  if (names.length === 0 && !discard) return call(caller, fn, payload)
  const crossing = {
    ...(names.length === 0 ? {} : { headers: { ...headers } }),
    ...(discard ? { discard: true as const } : {})
  }
  const size = JSON.stringify(crossing).length
  if (size > CallHeaders.maxHeaders) {
    return invalid(fn, [
      { path: "headers", problem: `${size} characters, at most ${CallHeaders.maxHeaders} can cross` }
    ])
  }
  return Effect.provideService(
    Effect.withFiber((caller) => call(caller, fn, payload)),
    CallHeaders.Outgoing,
    crossing
  )
}

/** Passes on the failure of a call: the Cause of its handler as an error, or a FlameError. */
const told = (cause: Cause.Cause<unknown>): Effect.Effect<never, unknown> => {
  const error = cause.reasons.find(Cause.isFailReason)?.error
  return Effect.failCause(Cause.isCause(error) ? error : cause)
}

/** Makes the call of a request of Effect's client, and writes its answers there. */
const request = (
  call: CallFunction,
  fn: GroupFunctions.GroupFunction,
  request: Request<Rpc.Any>,
  write: Write
): Effect.Effect<void, unknown, unknown> => {
  const exit = (exit: Exit.Exit<unknown, unknown>) =>
    write({ _tag: "Exit", clientId: 0, requestId: request.id, exit: exit as never })
  // Like an error of a transport, a FlameError passes through the middleware to the caller.
  const failed = (error: unknown) =>
    Cause.isCause(error)
      ? exit(request.discard === true && error.reasons.length === 0 ? Exit.void : Exit.failCause(error))
      : Effect.fail(error)
  const made = Effect.withFiber((fiber) =>
    sent(call, fiber, fn, request.payload, request.headers, request.discard === true)
  )
  if (!fn.stream)
    return Effect.matchEffect(made, { onSuccess: (value) => exit(Exit.succeed(value)), onFailure: failed })
  const chunk = (values: Chunk) => write({ _tag: "Chunk", clientId: 0, requestId: request.id, values })
  const pumped = Effect.flatMap(made, (pull) =>
    Effect.forever(Effect.flatMap(pull as Pull.Pull<Chunk, unknown>, chunk), { disableYield: true })
  )
  return Effect.scoped(
    Effect.matchCauseEffect(pumped as Effect.Effect<never, unknown, Scope.Scope>, {
      onSuccess: () => Effect.void,
      onFailure: (cause) => {
        if (Pull.isDoneCause(cause)) return exit(Exit.void)
        const reason = cause.reasons.find(Cause.isFailReason)
        if (reason !== undefined) return failed(reason.error)
        return Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : exit(Exit.failCause(cause))
      }
    })
  )
}

/** Turns the error that Effect's client throws for an invalid payload into a failure of the request. */
const guarded =
  (fn: GroupFunctions.GroupFunction, method: Method): Method =>
  (payload, options) => {
    try {
      return method(payload, options)
    } catch (error) {
      const issue = error instanceof Error ? error.cause : undefined
      const failure = SchemaIssue.isIssue(issue) ? invalid(fn, [...problemsOf(issue, fn.payload)]) : Effect.die(error)
      return fn.stream && options?.asQueue !== true ? Stream.fromEffect(failure) : failure
    }
  }

const invalid = (
  fn: GroupFunctions.GroupFunction,
  issues: InvalidPayload["issues"]
): Effect.Effect<never, FlameError> =>
  Effect.fail(new FlameError({ reason: new InvalidPayload({ function: fn.name, issues }) }))
