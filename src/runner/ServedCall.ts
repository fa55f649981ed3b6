/** One call on its runner, from its Request to its final frame. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as CallSpan from "../function/CallSpan.ts"
import { Kind } from "../wire/Frame.ts"
import type { Link } from "../wire/Link.ts"
import type { RequestHead } from "../wire/Request.ts"
import * as Answer from "../call/Answer.ts"
import { callerOf, contextOf, spanOf } from "../call/ExtrasReceived.ts"
import type { ChannelServer } from "../call/ChannelServer.ts"
import type { CurrentCall } from "../function/Current.ts"
import type { NestedCalls } from "./NestedCalls.ts"
import type { Served } from "../call/Served.ts"

/** The session that it belongs to. */
export interface CallHost {
  readonly link: Link
  readonly nested: NestedCalls
  readonly around: Context.Context<never>
  readonly now: () => number
  /** The largest result that its parent takes, in bytes. */
  readonly maxResult: number
  /** Whether whatever is interrupted is so by the session. */
  readonly isStopping: boolean
  readonly over: (id: number) => void
}

const none = new Uint8Array(0)

export class ServedCall {
  isCancelled = false
  private fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private span: Tracer.Span | undefined = undefined
  private readonly scope: Scope.Closeable = Scope.makeUnsafe()
  readonly current: CurrentCall
  /** What its messages go by, when it is a channel. */
  readonly open: ChannelServer | undefined
  private readonly host: CallHost
  private readonly id: number
  private readonly served: Served
  /** When it began, where its caller wants to know how long it ran. */
  private readonly since: number | undefined

  constructor(
    host: CallHost,
    id: number,
    served: Served,
    current: CurrentCall,
    since: number | undefined,
    open: ChannelServer | undefined
  ) {
    this.host = host
    this.id = id
    this.served = served
    this.current = current
    this.since = since
    this.open = open
  }

  /** Runs its function up to its first wait; gives its exit where it has ended by then, which `ended` is to be told. */
  begin(
    runner: Context.Context<never>,
    head: RequestHead,
    isTraced: boolean,
    effect: Effect.Effect<unknown, unknown, unknown>
  ): Exit.Exit<unknown, unknown> | undefined {
    let context = contextOf(runner, head, this.current, this.scope)
    if (isTraced) this.span = spanOf(this.current, this.served.fn.name, context, head.span)
    const span = this.span ?? callerOf(head.span)
    if (span !== undefined) context = Context.add(context, Tracer.ParentSpan, span)
    const fiber = Effect.runForkWith(context)(effect as Effect.Effect<unknown, unknown>)
    const exit = fiber.pollUnsafe()
    this.fiber = fiber
    if (exit === undefined) fiber.addObserver((exit) => this.ended(exit))
    return exit
  }

  /** Whether nothing is left to close or to wait for once its function has ended. */
  get isPlain(): boolean {
    const { error, success } = this.served.codec
    return this.open === undefined && success.isSync && error.isSync && this.scope.state._tag === "Empty"
  }

  /** Its function is interrupted; nobody waits for items that have not left. */
  stop(): void {
    this.fiber?.interruptUnsafe()
    this.open?.channel.dropUnsent()
  }

  /** The function has ended: its Scope closes before anything is told, so that a caller may rely on it. */
  ended(exit: Exit.Exit<unknown, unknown>): void {
    const { around } = this.host
    if (this.span !== undefined) CallSpan.end(around, this.span, exit)
    const closing = Scope.closeUnsafe(this.scope, exit)
    if (closing === undefined) return this.conclude(exit)
    const fiber = Effect.runForkWith(around)(closing)
    fiber.addObserver((closed) => this.conclude(Exit.isFailure(closed) && Exit.isSuccess(exit) ? closed : exit))
  }

  /** The final frame of a stream comes after all its items. */
  private conclude(exit: Exit.Exit<unknown, unknown>): void {
    if (this.open === undefined) return this.respond(exit)
    const { channel } = this.open
    channel.flushed(() => {
      // some of its items were dropped: that may not look like its end
      if (channel.dropped && Exit.isSuccess(exit)) this.reply(...Answer.interrupted)
      else this.respond(exit)
    })
  }

  private respond(exit: Exit.Exit<unknown, unknown>): void {
    const [kind, body] = Answer.of(this.served, exit, this.isStopped, this.isCancelled)
    if (body instanceof Uint8Array) this.reply(kind, body)
    else this.respondLater(kind, body)
  }

  /** Whether an interruption of it is ours. */
  private get isStopped(): boolean {
    return this.isCancelled || this.host.isStopping
  }

  private respondLater(kind: Kind, encoding: Answer.Later[1]): void {
    const fiber = Effect.runForkWith(this.host.around)(encoding as Effect.Effect<Uint8Array, unknown>)
    // what an encoding waits for must not outlast a cancel
    this.fiber = fiber
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) return this.reply(kind, exit.value)
      const isOurs = Cause.hasInterruptsOnly(exit.cause) && this.isStopped
      this.reply(...(isOurs ? Answer.interrupted : Answer.died(Cause.squash(exit.cause))))
    })
  }

  /** Sends the final frame; what is larger than the parent takes is refused with its size. */
  private reply(kind: Kind, body: Uint8Array): void {
    const { current, host, id } = this
    const { link, maxResult } = host
    if (this.since !== undefined) link.control(Kind.Ran, id, ranFor(host.now() - this.since))
    this.open?.channel.endChannel()
    current.isOver = true
    if (current.nested > 0) host.nested.end(current)
    // what a function died with is bounded by itself, and must not be hidden by a limit for values
    if (body.length > maxResult && kind !== Kind.Defect) {
      const [refused, why] = Answer.tooLarge(body.length, maxResult)
      link.control(refused, id, why)
    } else if (this.isCancelled && kind === Kind.Success) {
      link.control(Kind.Interrupted, id)
    } else {
      link.send(kind, id, none, body)
    }
    host.over(id)
  }
}

/** How long a function ran, as a body. */
const ranFor = (millis: number): Uint8Array => {
  const body = Buffer.allocUnsafe(8)
  body.writeDoubleBE(Math.max(0, millis), 0)
  return body
}
