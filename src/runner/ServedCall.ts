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
import { ServedRequest } from "../call/ServedRequest.ts"

/** The session of a call. */
export interface CallHost {
  readonly link: Link
  readonly nested: NestedCalls
  readonly around: Context.Context<never>
  readonly now: () => number
  /** The largest result that the parent accepts, in bytes. */
  readonly maxResult: number
  /** Whether the session has interrupted its calls. */
  readonly isStopping: boolean
  readonly over: (id: number) => void
}

const none = new Uint8Array(0)

export class ServedCall extends ServedRequest {
  readonly current: CurrentCall
  /** The runner's end of the channel, for a call that is one. */
  readonly open: ChannelServer | undefined
  private readonly host: CallHost
  private readonly id: number
  /** Begin of the call in milliseconds, where its caller wants to know how long the function ran. */
  private readonly since: number | undefined

  constructor(
    host: CallHost,
    id: number,
    served: Served,
    current: CurrentCall,
    since: number | undefined,
    open: ChannelServer | undefined
  ) {
    super(served)
    this.host = host
    this.id = id
    this.current = current
    this.since = since
    this.open = open
  }

  protected get around(): Context.Context<never> {
    return this.host.around
  }

  protected get isSessionOver(): boolean {
    return this.host.isStopping
  }

  protected get limit(): number {
    return this.host.maxResult
  }

  /** Runs the function up to its first wait. Returns its exit if it has ended by then, which the caller passes to `ended`. */
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

  /** Interrupts the function, and drops the items that have not left. */
  override stop(): void {
    super.stop()
    this.open?.channel.dropUnsent()
  }

  /** The final frame of a stream comes after all its items. */
  protected override conclude(exit: Exit.Exit<unknown, unknown>): void {
    if (this.open === undefined) return super.conclude(exit)
    const { channel } = this.open
    channel.flushed(() => {
      // a stream of which items were dropped must not look complete
      if (channel.isBroken) this.reply(...Answer.died(new Error(`an item could not be sent: ${detachedProblem}`)))
      else if (channel.dropped && exit._tag === "Success") this.reply(...Answer.interrupted)
      else super.conclude(exit)
    })
  }

  protected override reply(kind: Kind, body: Uint8Array): void {
    const { current, host, id } = this
    if (this.since !== undefined) host.link.control(Kind.Ran, id, ranFor(host.now() - this.since))
    this.open?.channel.endChannel()
    current.isOver = true
    if (current.nested > 0) host.nested.end(current)
    super.reply(kind, body)
  }

  protected send(kind: Kind, body: Uint8Array): void {
    const { link } = this.host
    if (body.length <= inlineLimit) return link.send(kind, this.id, none, body)
    link.send(kind, this.id, none, body, () => {
      const [instead, why] = Answer.died(new Error(`the result could not be sent: ${detachedProblem}`))
      link.send(instead, this.id, none, why)
    })
  }

  protected leave(): void {
    this.host.over(this.id)
  }
}

/** The body of a Ran frame: how long the function ran, in milliseconds. */
const ranFor = (millis: number): Uint8Array => {
  const body = Buffer.allocUnsafe(8)
  body.writeDoubleBE(Math.max(0, millis), 0)
  return body
}
