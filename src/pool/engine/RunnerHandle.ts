/**
 * The parent's handle on one runner: its session, the calls in flight on it, and whether it answers pings.
 *
 * The handle routes frames and contains no policy. The handle reports to the pool through `RunnerEvents`.
 */
import type { BootFailure } from "../../error/BootFailure.ts"
import type { AnyFunction } from "../../function/FlameFunction.ts"
import { Channel, type ChannelHandlers } from "../../wire/Channel.ts"
import { frameLimit, inlineLimit, isFinal, isItems, Kind, kindName } from "../../wire/Frame.ts"
import { type Hello, layoutMismatch } from "../../wire/Handshake.ts"
import type { Link, LinkClosed, LinkHandlers } from "../../wire/Link.ts"
import { encodeHead, type Extras, type SpanIds } from "../../wire/Request.ts"

/** A call as its runner's handle sees it. */
export interface RunnerCall {
  /** The call's id on the runner's link. Set by the handle. */
  linkId: number
  /** The turn in which its Request was sent; see `Link.flushed`. */
  turn: number
  /** Whether the runner is asked for the run time of the function. The answer is `ran`, right before `final`. */
  readonly isTimed?: boolean
  readonly ran?: (millis: number) => void
  /** Receives the messages of the call, if it is a channel. */
  readonly messages?: ChannelHandlers | undefined
  /** The call's channel, from its Request to its final frame. Set by the handle. */
  channel?: Channel | undefined
  readonly final: (kind: number, body: Buffer, large: Uint8Array | undefined) => void
  /** Called when the memory of the payload was detached before the payload was sent completely. */
  readonly detached?: () => void
}

/** The events of a runner that its pool handles. */
export interface RunnerEvents {
  readonly draining: () => void
  readonly responsive: (answers: boolean) => void
  /** Called when a function on the runner makes a call, or cancels one. */
  readonly nested?: (kind: number, id: number, body: Buffer, large: Uint8Array | undefined) => void
  /** Handles bytes of messages, or a grant, for a stream or a placed service of a function on the runner. */
  readonly nestedItems?: (id: number, bytes: Buffer) => void
  readonly nestedGrant?: (id: number, more: number) => void
  /** Whether a call of a function on the runner may have a large payload of this size. A string says why not. */
  readonly acceptNested?: (id: number, total: number) => string | undefined
  readonly closed: (how: LinkClosed) => void
}

/** Handles log lines or metric changes of a runner. Returns what is wrong with them, or undefined. */
export type TakeReport = (kind: number, body: Buffer) => string | undefined

/**
 * Bytes that may wait in the connection of a runner before it gets no more calls. A turn of the event loop may add the
 * payloads of the calls that it dispatches.
 */
export const mostUnsent = 4 * 1024 * 1024

export class RunnerHandle implements LinkHandlers {
  readonly hello: Hello
  readonly link: Link
  /** The calls by their link ids. A hole is a free id. */
  readonly calls: Array<RunnerCall | undefined> = [undefined]
  inFlight = 0
  /** Whether the runner has said that it takes no new calls. */
  isDraining = false
  events: RunnerEvents
  reports: TakeReport | undefined
  private readonly maxResult: number
  /** Whether the runner has sent its goodbye, by which it claims to have answered all of its calls. */
  saidGoodbye = false
  private readonly freeIds: Array<number> = []
  private readonly indices = new Map<string, { readonly index: number; readonly fingerprint: string }>()
  /** The functions whose layout was compared. */
  private readonly checked = new WeakMap<Pick<AnyFunction, "name" | "layout">, number>()
  /** The number of pings that the runner has answered. */
  pongs = 0
  /** Whether a ping was sent and is not answered yet. */
  private pinged = false
  /** Whether the next call of `ping` makes the runner unresponsive if the ping is still unanswered. */
  private isDue = false
  private answers = true
  /** Whether more than `mostUnsent` bytes wait in its connection. */
  private isBacklogged = false
  /** Whether the runner takes calls, as last reported to the pool. */
  private responds = true

  constructor(link: Link, hello: Hello, events: RunnerEvents, maxResult: number) {
    this.maxResult = maxResult
    this.link = link
    this.hello = hello
    this.events = events
    hello.functions.forEach(([name, fingerprint], index) => this.indices.set(name, { index, fingerprint }))
  }

  /**
   * The index of a function on the runner. Undefined if the runner does not serve it, a failure if its layout differs.
   * A function that is not `ours` is known only from another runner's claim, and is not remembered.
   */
  indexOf(fn: Pick<AnyFunction, "name" | "layout">, ours = true): number | BootFailure | undefined {
    const known = this.checked.get(fn)
    if (known !== undefined) return known
    const there = this.indices.get(fn.name)
    if (there === undefined) return undefined
    if (there.fingerprint !== fn.layout) return layoutMismatch(fn.name, fn.layout, fn, this.hello, there.index)
    if (ours) this.checked.set(fn, there.index)
    return there.index
  }

  /** Sends a call; its `final` comes exactly once unless the session ends first. */
  request(
    call: RunnerCall,
    functionIndex: number,
    budget: number | undefined,
    span: SpanIds | undefined,
    extras: Extras | undefined,
    payload: Uint8Array,
    isNested = false
  ): void {
    const id = this.freeIds.pop() ?? this.calls.length
    this.calls[id] = call
    call.linkId = id
    call.turn = this.link.turn
    this.inFlight++
    if (call.messages !== undefined) {
      const { link, maxResult: limit } = this
      call.channel = new Channel({ link, side: "parent", id, limit }, call.messages)
    }
    const head = encodeHead(functionIndex, budget, span, extras, call.isTimed, isNested)
    const lost = payload.length <= inlineLimit ? undefined : () => this.calls[id] === call && call.detached?.()
    try {
      this.link.send(Kind.Request, id, head, payload, lost)
    } catch (error) {
      // A payload may be detached from its buffer. Nothing of the call was sent.
      this.forgetCall(id)
      call.channel?.endChannel()
      throw error
    }
  }

  private forgetCall(id: number): void {
    this.calls[id] = undefined
    this.freeIds.push(id)
    this.inFlight--
  }

  /** Asks the runner to stop a call; its final frame is the acknowledgement. */
  cancel(call: RunnerCall): void {
    if (this.calls[call.linkId] !== call) return
    this.link.abandon(call.linkId, "request")
    call.channel?.dropUnsent()
    this.link.control(Kind.Cancel, call.linkId)
  }

  /** Tells the runner to take no new calls, to end its calls within the budget in milliseconds, and to leave. */
  drain(budget: number): void {
    const body = Buffer.allocUnsafe(4)
    body.writeUInt32BE(Math.min(0xffffffff, Math.max(0, Math.ceil(budget))), 0)
    this.link.control(Kind.Drain, 0, body)
  }

  /** Tells the placed services on the runner that it must leave. */
  warn(): void {
    for (const call of this.calls) call?.messages?.leave?.()
  }

  /**
   * Sends the ping of a round of `Pings`. A runner that has not answered the ping of the round before counts as
   * unresponsive, and gets no other ping until it answers.
   */
  ping(): void {
    if (this.pinged && this.isDue) {
      if (this.answers) {
        this.answers = false
        this.report()
      }
      return
    }
    this.probe()
    this.isDue = true
  }

  /**
   * Sends a ping between two rounds of `Pings`. The next round does not judge the runner by this ping, which it may have
   * had no time to answer; the round after that does.
   */
  probe(): void {
    if (!this.pinged) this.isDue = false
    this.pinged = true
    this.link.control(Kind.Ping, 0)
  }

  /**
   * Handles a write that has left bytes in the connection. A runner that does not read them gets no more calls until it
   * does.
   */
  congested(): void {
    const { link } = this
    if (this.isBacklogged || link.buffered <= mostUnsent) return
    this.isBacklogged = true
    // Not at once, because the pool may be dispatching calls.
    link.atTurnEnd(() => this.report())
    link.whenFree(() => {
      this.isBacklogged = false
      this.report()
    })
  }

  private report(): void {
    const responds = this.answers && !this.isBacklogged
    if (responds === this.responds) return
    this.responds = responds
    this.events.responsive(responds)
  }

  /** Whether a ping is unanswered. */
  get isPinged(): boolean {
    return this.pinged
  }

  /** Whether the last ping that was due has been answered. */
  get isResponsive(): boolean {
    return this.answers
  }

  /** Whether a part of a call was handed to the connection. If not, the call certainly has not run. */
  wasSent(call: RunnerCall): boolean {
    return call.turn <= this.link.flushed
  }

  /**
   * Whether a large body may arrive. The limits apply to values only, because defects are bounded by their encoding.
   */
  accept(kind: number, id: number, total: number): string | undefined {
    const { acceptNested } = this.events
    if (kind === Kind.Nested && acceptNested !== undefined) return acceptNested(id, total)
    if (!isFinal(kind) || this.calls[id] === undefined)
      return `a large ${kindName(kind)} for call ${id}, which it does not hold`
    if (kind !== Kind.Success && kind !== Kind.Failure && total > frameLimit)
      return `a ${kindName(kind)} of ${total} bytes, the limit is ${frameLimit}`
    return total <= this.maxResult ? undefined : `a result of ${total} bytes, the limit is ${this.maxResult}`
  }

  closed(how: LinkClosed): void {
    this.events.closed(how)
  }

  message(kind: number, id: number, body: Buffer, large: Uint8Array | undefined): void {
    if (isFinal(kind)) return this.final(kind, id, body, large)
    switch (kind) {
      case Kind.Pong: {
        this.pinged = false
        this.pongs++
        if (!this.answers) {
          this.answers = true
          this.report()
        }
        return
      }
      case Kind.Ran:
        return this.ran(id, body)
      case Kind.Logs:
      case Kind.Metrics: {
        const wrong = this.reports?.(kind, body)
        if (wrong !== undefined) this.link.violate(wrong)
        return
      }
      case Kind.Nested:
      case Kind.NestedCancel:
        if (this.events.nested === undefined) return this.link.violate(`a ${kindName(kind)} frame before it had a call`)
        return this.events.nested(kind, id, body, large)
      case Kind.Draining:
        this.isDraining = true
        return this.events.draining()
      case Kind.Bye:
        this.saidGoodbye = true
        return this.link.endSession()
      default:
        this.link.violate(`a ${kindName(kind)} frame, which a runner must not send`)
    }
  }

  private ran(id: number, body: Buffer): void {
    const call = this.calls[id]
    const millis = body.length === 8 ? body.readDoubleBE(0) : NaN
    if (call?.isTimed !== true || !(millis >= 0) || call.turn > this.link.begun)
      return this.link.violate(`a Ran frame for call ${id}, which did not ask`)
    call.ran?.(millis)
  }

  items(kind: number, id: number, bytes: Buffer): void {
    if (kind === Kind.ItemsRequest && this.events.nestedItems !== undefined) return this.events.nestedItems(id, bytes)
    const call = kind === Kind.ItemsResponse ? this.calls[id] : undefined
    if (call?.channel === undefined) return this.violateFor(kind, id, "is no channel here")
    if (call.turn > this.link.begun) return this.violateFor(kind, id, "it cannot have read")
    call.channel.onItems(bytes)
  }

  grant(kind: number, id: number, more: number): void {
    if (kind === Kind.GrantResponse && this.events.nestedGrant !== undefined) return this.events.nestedGrant(id, more)
    const channel = kind === Kind.GrantRequest ? this.calls[id]?.channel : undefined
    if (channel === undefined) return this.violateFor(kind, id, "is no channel here")
    channel.onGrant(more)
  }

  private violateFor(kind: number, id: number, what: string): void {
    const article = isItems(kind) ? "an" : "a"
    this.link.violate(`${article} ${kindName(kind)} frame for call ${id}, which ${what}`)
  }

  private final(kind: number, id: number, body: Buffer, large: Uint8Array | undefined): void {
    const call = this.calls[id]
    if (call === undefined) return this.violateFor(kind, id, "it does not hold")
    if (call.turn > this.link.begun) return this.violateFor(kind, id, "it cannot have read")
    this.forgetCall(id)
    this.link.forget(id, "response")
    if (call.channel !== undefined) {
      call.channel.endChannel()
      if (kind === Kind.Success && call.channel.isBetween)
        return this.link.violate(`a ${kindName(kind)} frame of call ${id} in the middle of a message`)
    }
    call.final(kind, body, large)
  }
}
