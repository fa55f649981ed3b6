/** A call on its runner, from its Request to its final frame. */
import type * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type { AnyEffect } from "../function/AnyEffect.ts"
import { detachedProblem } from "../schema/OwnBytes.ts"
import { inlineLimit, Kind } from "../wire/Frame.ts"
import type { Link } from "../wire/Link.ts"
import type { RequestHead } from "../wire/Request.ts"
import * as Answer from "../call/Answer.ts"
import { contextOf, spanOf } from "../call/ExtrasReceived.ts"
import type { ChannelServer } from "../call/ChannelServer.ts"
import type { CurrentCall } from "../function/Current.ts"
import type { NestedCalls } from "./NestedCalls.ts"
import type { Served } from "../call/Served.ts"
import { type RequestSession, ServedRequest } from "../call/ServedRequest.ts"

/** The session of a call. */
export interface CallSession extends RequestSession {
  readonly link: Link
  readonly nested: NestedCalls
  readonly now: () => number
  readonly over: (id: number) => void
}

const none = new Uint8Array(0)

export class ServedCall extends ServedRequest<CallSession> {
  readonly current: CurrentCall
  /** The runner's end of the channel, for a call that is one. */
  readonly open: ChannelServer | undefined
  /** Start of the call in milliseconds, if its caller wants the run time. */
  private readonly since: number | undefined

  constructor(
    session: CallSession,
    id: number,
    served: Served,
    current: CurrentCall,
    since: number | undefined,
    open: ChannelServer | undefined
  ) {
    super(session, id, served)
    this.current = current
    this.since = since
    this.open = open
  }

  /**
   * Runs the function up to its first wait. If the function has ended by then, returns its exit, which the caller must pass to
   * `ended`.
   */
  begin(
    runner: Context.Context<never>,
    head: RequestHead,
    isTraced: boolean,
    effect: AnyEffect
  ): Exit.Exit<unknown, unknown> | undefined {
    const { current, served } = this
    const context = contextOf(runner, head, current, this.scope)
    const beginSpan = isTraced
      ? (context: Context.Context<never>) => spanOf(current, served.fn.name, context, head.span)
      : undefined
    return this.run(context, head.span, beginSpan, effect)
  }

  override get isPlain(): boolean {
    return this.open === undefined && super.isPlain
  }

  /** Interrupts the function, and drops the items that are not sent yet. */
  override stop(): void {
    super.stop()
    this.open?.channel.dropUnsent()
  }

  /** The final frame of a stream comes after all its items. */
  protected override conclude(exit: Exit.Exit<unknown, unknown>): void {
    if (this.open === undefined) return super.conclude(exit)
    const { channel } = this.open
    channel.flushed(() => {
      // A stream whose items were dropped must not look complete.
      if (channel.isBroken) this.reply(...Answer.died(new Error(`an item could not be sent: ${detachedProblem}`)))
      else if (channel.dropped && exit._tag === "Success") this.reply(...Answer.interrupted)
      else super.conclude(exit)
    })
  }

  protected override reply(kind: Kind, body: Uint8Array): void {
    const { current, id, session } = this
    if (this.since !== undefined) session.link.control(Kind.Ran, id, ranFor(session.now() - this.since))
    this.open?.channel.endChannel()
    current.isOver = true
    if (current.nested > 0) session.nested.end(current)
    super.reply(kind, body)
  }

  protected send(kind: Kind, body: Uint8Array): void {
    const { link } = this.session
    if (body.length <= inlineLimit) return link.send(kind, this.id, none, body)
    link.send(kind, this.id, none, body, () => {
      const [instead, why] = Answer.died(new Error(`the result could not be sent: ${detachedProblem}`))
      link.send(instead, this.id, none, why)
    })
  }

  protected leave(): void {
    this.session.over(this.id)
  }
}

/** The body of a Ran frame: the run time of the function in milliseconds. */
const ranFor = (millis: number): Uint8Array => {
  const body = Buffer.allocUnsafe(8)
  body.writeDoubleBE(Math.max(0, millis), 0)
  return body
}
