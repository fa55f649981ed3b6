/**
 * The runner's side of the calls that functions make: relays them to the parent over the connection of the runner, because
 * only the parent has pools. A nested call belongs to the call whose function makes it, and ends with that call.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { FlameError, PayloadTooLarge, PoolMissing, type Reason } from "../error/FlameError.ts"
import { confine } from "../error/Unhandled.ts"
import * as FlameErrorCodec from "../function/FlameErrorCodec.ts"
import type { AnyFunction } from "../function/FlameFunction.ts"
import type { AnyService } from "../function/PlacedService.ts"
import * as FunctionCodec from "../function/FunctionCodec.ts"
import { Channel, type ChannelHandlers } from "../wire/Channel.ts"
import { Kind, kindName } from "../wire/Frame.ts"
import type { Welcome } from "../wire/Handshake.ts"
import type { Link } from "../wire/Link.ts"
import * as NestedHead from "../wire/NestedHead.ts"
import { OpenIds } from "../wire/OpenIds.ts"
import { tellStopped, untilStopped } from "../call/StopWaiters.ts"
import { decodeRunner } from "../call/DefectOrigin.ts"
import * as Outcome from "../call/Outcome.ts"
import type { CurrentCall, Nesting, Wanted } from "../function/Current.ts"
import { NestedRoom } from "./NestedRoom.ts"
import { crossing, endSpan } from "./NestedSpan.ts"
import type { ChannelCalls, OpenNested } from "./OpenNested.ts"
import type { AnyEffect } from "../function/AnyEffect.ts"

/** The body of a NestedCancel for a call whose function needs nothing more. */
const enough = new Uint8Array([1])
const nothing = new Uint8Array(0)

/** Streams and placed services of functions. Loaded when a function first needs them. */
const channels = Effect.promise(() => import("./NestedChannels.ts"))

export class NestedCalls implements Nesting, ChannelCalls {
  private readonly calls = new OpenIds<OpenNested>()
  /** The last target of each function, which is usually the next one too. */
  private readonly targets = new WeakMap<Wanted["fn"], NestedHead.NestedTarget>()
  private readonly link: Link
  private readonly limits: () => Pick<Welcome, "maxPayload" | "cancelGrace">
  private readonly room = new NestedRoom()

  constructor(link: Link, limits: NestedCalls["limits"]) {
    this.link = link
    this.limits = limits
  }

  /** Makes a call for a function. */
  relay(current: CurrentCall, caller: Fiber.Fiber<unknown, unknown>, wanted: Wanted): AnyEffect {
    // Every function that can be called was declared.
    const fn = wanted.fn as AnyFunction
    const codec = FunctionCodec.of(fn)
    return codec.encodePayload(wanted.payload, (bytes) => {
      // Copied, because the function may detach its buffer while the payload is sent in parts. Only the parent can fail
      // such a call (`RunnerHandle.request`); a nested call would never be answered.
      const own = bytes === wanted.payload ? new Uint8Array(bytes) : bytes
      if (!fn.stream) return this.send(current, caller, wanted, own)
      return Effect.flatMap(channels, (_) => _.stream(this, current, caller, wanted, own))
    })
  }

  /** Places a service for a function. */
  place(current: CurrentCall, owner: Fiber.Fiber<unknown, unknown>, wanted: Wanted): Effect.Effect<object, unknown> {
    const service = wanted.fn as AnyService
    return FunctionCodec.of(service).encodePayload(wanted.payload, (bytes) => {
      const own = bytes === wanted.payload ? new Uint8Array(bytes) : bytes
      return Effect.flatMap(channels, (_) => _.place(this, current, owner, wanted, own))
    }) as Effect.Effect<object, unknown>
  }

  admit(current: CurrentCall, wanted: Wanted, size: number): Effect.Effect<void, FlameError> {
    return Effect.suspend(() => {
      const refusal = this.refusal(current, wanted, size, true)
      if (refusal !== undefined) return Effect.fail(new FlameError({ reason: refusal }))
      return this.room.isCrowded ? Effect.flatMap(this.room.wait, () => this.admit(current, wanted, size)) : Effect.void
    })
  }

  open(
    current: CurrentCall,
    caller: Fiber.Fiber<unknown, unknown>,
    wanted: Wanted,
    bytes: Uint8Array,
    messages: ChannelHandlers,
    resume: (exit: Outcome.CallExit) => void
  ): OpenNested {
    return this.start(current, caller, wanted, bytes, resume, messages)
  }

  stop(open: OpenNested, isEnough: boolean): Effect.Effect<void> {
    return this.interrupt(open, isEnough)
  }

  get cancelGrace(): number {
    return this.limits().cancelGrace
  }

  get maxPayload(): number {
    return this.limits().maxPayload
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
    if (this.room.isCrowded) {
      return Effect.flatMap(this.room.wait, () => this.send(current, caller, wanted, bytes))
    }
    return Effect.callback<unknown, unknown, unknown>((resume) => {
      const open = this.start(current, caller, wanted, bytes, resume)
      return Effect.suspend(() => this.interrupt(open))
    })
  }

  /** Handles the final frame of a nested call. */
  final(kind: number, id: number, body: Buffer, large: Uint8Array | undefined): void {
    const open = this.calls.get(id)
    if (open === undefined) return this.link.violate(`a ${kindName(kind)} frame for a nested call that is not there`)
    this.remove(open)
    if (open.isGivenUp) return tellStopped(open)
    answer(open, this.read(open, kind, body, large))
  }

  /** Allows a large result, or returns why it is refused. */
  accept(kind: number, id: number): string | undefined {
    return this.calls.get(id) !== undefined
      ? undefined
      : `a large ${kindName(kind)} for a nested call that is not there`
  }

  /** Ends the nested calls of a call that has ended. */
  end(current: CurrentCall): void {
    for (const open of this.calls) if (open.current === current) this.abandon(open, "its call has ended")
  }

  /** Fails all nested calls of a session that is over. */
  closed(): void {
    this.room.wake()
    for (const open of this.calls) {
      this.remove(open)
      if (open.isGivenUp) tellStopped(open)
      else this.tell(open, "the connection to its parent is gone")
    }
  }

  private refusal(current: CurrentCall, { fn, pool }: Wanted, size: number, isChannel = false): Reason | undefined {
    if (current.isOver || this.link.closed) return missing(fn.name, pool, "the call that it belongs to has ended")
    return this.room.refusal(current, fn.name, pool, isChannel) ?? tooLarge(fn.name, size, this.maxPayload)
  }

  private start(
    current: CurrentCall,
    caller: Fiber.Fiber<unknown, unknown>,
    wanted: Wanted,
    bytes: Uint8Array,
    resume: (exit: Outcome.CallExit) => void,
    messages?: ChannelHandlers
  ): OpenNested {
    const fn = wanted.fn as AnyFunction
    const { around, extras, span } = crossing(current, caller, wanted)
    const open: OpenNested = {
      id: this.calls.next,
      fn,
      current,
      wanted,
      size: bytes.length,
      resume,
      span,
      context: caller.context,
      channel: messages === undefined ? undefined : this.channel(messages),
      stopped: undefined,
      isGivenUp: false
    }
    this.calls.add(open)
    this.room.take(open)
    const own = wanted.timeout ?? fn.timeout
    try {
      const head = NestedHead.encode(
        current.callId,
        this.targetOf(wanted, own === Infinity),
        // A cast may outlive the call that makes it.
        budgetOf(own, wanted.cast ? undefined : current.remaining),
        span ?? around,
        extras
      )
      // Bytes are their own encoding, and a large payload is sent by reference. A cast is not awaited, so its caller may
      // change the bytes.
      this.link.send(Kind.Nested, open.id, head, wanted.cast && bytes === wanted.payload ? bytes.slice() : bytes)
    } catch (defect) {
      // Nothing of the call was sent, so no answer will end it.
      this.remove(open)
      endSpan(open, Exit.die(defect))
      throw defect
    }
    return open
  }

  private channel(messages: ChannelHandlers): Channel {
    // The parent is trusted, and has checked the sizes against the limits of the serving pool.
    return new Channel({ link: this.link, side: "parent", id: this.calls.next, limit: Infinity }, messages)
  }

  /** Handles bytes of messages for a function's stream or placed service. Returns false if none has that id. */
  items(id: number, bytes: Buffer): boolean {
    const channel = this.calls.get(id)?.channel
    channel?.onItems(bytes)
    return channel !== undefined
  }

  /**
   * Handles a grant of bytes for messages of a function to its placed service. Returns false if there is none with that
   * id.
   */
  grant(id: number, more: number): boolean {
    const channel = this.calls.get(id)?.channel
    channel?.onGrant(more)
    return channel !== undefined
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
  private interrupt(open: OpenNested, isEnough = false): Effect.Effect<void> {
    if (this.calls.get(open.id) !== open) return Effect.void
    const stopped = untilStopped(open, () => this.link.closed || this.calls.get(open.id) !== open)
    if (open.isGivenUp) return stopped
    this.giveUp(open, isEnough)
    const exit = endSpan(open, isEnough ? Exit.void : Exit.interrupt())
    // The interrupted fiber receives the error that its tracer throws.
    return Exit.hasDies(exit) ? Effect.andThen(stopped, exit) : stopped
  }

  /** Gives up a nested call whose fiber still waits: cancels the call and fails the fiber. */
  private abandon(open: OpenNested, why: string): void {
    if (open.isGivenUp) return
    this.giveUp(open)
    this.tell(open, why)
  }

  private giveUp(open: OpenNested, isEnough = false): void {
    open.isGivenUp = true
    open.channel?.dropUnsent()
    this.link.abandon(open.id, "request")
    this.link.control(Kind.NestedCancel, open.id, isEnough ? enough : nothing)
  }

  private tell(open: OpenNested, why: string): void {
    answer(open, Exit.fail(new FlameError({ reason: missing(open.fn.name, open.wanted.pool, why) })))
  }

  private remove(open: OpenNested): void {
    this.calls.delete(open.id)
    open.channel?.endChannel()
    this.link.forget(open.id, "response")
    this.room.give(open)
  }

  private read(
    { channel, fn, wanted }: OpenNested,
    kind: number,
    body: Buffer,
    large: Uint8Array | undefined
  ): Outcome.CallExit {
    if (kind === Kind.Refused) return Exit.fail(FlameErrorCodec.decode(large ?? body))
    if (wanted.cast || (channel !== undefined && kind === Kind.Success)) return Exit.void
    if (kind !== Kind.Defect) return Outcome.read(fn.name, FunctionCodec.of(fn), kind, body, large, "")
    const { end, runner } = decodeRunner(body)
    return Outcome.read(fn.name, FunctionCodec.of(fn), kind, body.subarray(end), large, runner)
  }
}

/** Gives a nested call its exit. The observers of its fiber are code of the program. */
const answer = (open: OpenNested, exit: Outcome.CallExit): void => {
  const told = endSpan(open, exit)
  confine(() => open.resume(told))
}

const tooLarge = (name: string, size: number, limit: number): PayloadTooLarge | undefined =>
  size > limit ? new PayloadTooLarge({ function: name, size, limit, direction: "payload" }) : undefined

const missing = (name: string, pool: string, detail: string) => new PoolMissing({ pool, function: name, detail })

const budgetOf = (own: number | undefined, remaining: number | undefined): number | undefined => {
  const budget = Math.min(own ?? Infinity, remaining ?? Infinity)
  return budget === Infinity ? undefined : budget
}
