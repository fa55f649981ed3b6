/**
 * The parent's side of the calls that functions of one runner make: passes each on to the pool that it names, and its answer
 * back to the runner.
 *
 * A call is suspended while it has an open nested call. Its function may do other work meanwhile: the parent cannot know
 * whether a function waits.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { FlameError, PayloadTooLarge, PoolMissing, type Reason, TooDeep } from "../../error/FlameError.ts"
import * as FlameErrorCodec from "../../function/FlameErrorCodec.ts"
import * as Answer from "../../call/Answer.ts"
import { encodeRunner } from "../../call/DefectOrigin.ts"
import type { RunnerHandle } from "../engine/RunnerHandle.ts"
import { inlineLimit, Kind } from "../../wire/Frame.ts"
import * as NestedHead from "../../wire/NestedHead.ts"
import { Call, type CallExit, type RawAnswer } from "../engine/Call.ts"
import { nestedCallLimit, NestedCall } from "../engine/Call.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"
import * as PoolRegistry from "../engine/PoolRegistry.ts"
import { NestedCasts } from "./NestedCasts.ts"
import * as NestedFamily from "./NestedFamily.ts"
import { NestedRelay } from "./NestedRelay.ts"
import * as NestedTerms from "./NestedTerms.ts"
import { cancelPrice, NestedToll } from "./NestedToll.ts"

const none = new Uint8Array(0)

export class NestedSession {
  private readonly open = new Map<number, NestedFamily.Open>()
  private readonly engine: PoolEngine
  private readonly backend: object
  private readonly handle: RunnerHandle
  private readonly beside: (effect: Effect.Effect<void>) => void
  /** Bytes of payloads of unanswered calls, and of payloads that are still arriving. */
  private size = 0
  private readonly coming = new Map<number, number>()
  private readonly casts: NestedCasts
  /** Streams and placed services among the open calls. */
  private channels = 0
  private readonly toll: NestedToll

  /**
   * `engine` is the engine of the pool of this runner. `beside` runs an effect in the background. `mayLog` tells whether a
   * line about this runner fits its budget of lines.
   */
  constructor(
    engine: PoolEngine,
    backend: object,
    handle: RunnerHandle,
    beside: (effect: Effect.Effect<void>) => void,
    mayLog: (bytes: number) => boolean
  ) {
    this.toll = new NestedToll(handle.link, engine.timer)
    this.casts = new NestedCasts(this.toll, mayLog)
    this.engine = engine
    this.backend = backend
    this.handle = handle
    this.beside = beside
  }

  message(kind: number, id: number, body: Buffer, large: Uint8Array | undefined): void {
    const { link } = this.handle
    this.toll.onFrame()
    // `arrived` would stop counting the bytes of the large body that is still arriving under this id.
    if (kind === Kind.Nested && large === undefined && this.coming.has(id)) {
      return link.violate("a call of a function under the id of a large one that is coming")
    }
    this.arrived(id)
    if (kind === Kind.NestedCancel) return this.cancelled(id, body.length > 0)
    const head = NestedHead.decode(body)
    const caller = head === undefined ? undefined : this.handle.calls[head.caller]
    if (head === undefined || this.open.has(id) || caller === undefined) {
      return link.violate("a call of a function that is not understood here")
    }
    const payload = large ?? Buffer.from(body.subarray(head.end))
    // A call that the parent makes itself, such as `idleWhen`, has no slot that it could lend.
    if (!(caller instanceof Call))
      return this.refuse(id, NestedTerms.missing(head, "only a function that was called can call"))
    const excess = this.excess(caller, payload.length)
    if (excess !== undefined) return link.violate(excess)
    this.submit(id, head, caller, payload)
  }

  /** Allows a large payload, or returns why it is refused. */
  accept(id: number, total: number): string | undefined {
    const limit = this.engine.settings.maxPayload
    if (this.open.has(id)) return `a large call of a function under the id of another one`
    if (this.open.size + this.coming.size >= NestedHead.maxOpen) return "more nested calls than a runner may have"
    if (total > limit) return `a payload of ${total} bytes for a nested call, the limit is ${limit}`
    if (this.size >= NestedHead.limits.mostHeld) return "nested calls with too large payloads"
    this.coming.set(id, total)
    this.size += total
    return undefined
  }

  private arrived(id: number): void {
    if (this.coming.size === 0) return
    this.size -= this.coming.get(id) ?? 0
    this.coming.delete(id)
  }

  /** Stops all nested calls of a session that is over. */
  stopAll(): void {
    for (const open of this.open.values()) {
      this.remove(open)
      // The caller may be sent again, to another runner. Its nested calls belong to the session there.
      open.caller.calls = undefined
      // A cancelled call is stopped already.
      open.relay?.drop()
      if (!open.isStopping) this.stop(open, false, () => {})
    }
  }

  private excess(caller: Call, size: number): string | undefined {
    const { settings } = this.engine
    if (this.open.size >= NestedHead.maxOpen) return "more nested calls than a runner may have"
    if (NestedFamily.openOf(caller).size >= NestedHead.maxOpenOfCall) return "more nested calls than a call may have"
    if (size > settings.maxPayload || this.size >= NestedHead.limits.mostHeld) {
      return "nested calls with too large payloads"
    }
    return undefined
  }

  private submit(id: number, head: NestedHead.NestedHead, caller: Call, payload: Uint8Array): void {
    const target = PoolRegistry.find(head.pool, this.engine, this.backend)
    if (target === undefined) {
      return this.refuse(
        id,
        NestedTerms.missing(head, "the parent has no such pool: provide its layer beside its FlameLayer")
      )
    }
    const { engine } = target
    const depth = caller.depth + 1
    if (!head.cast && depth > nestedCallLimit) {
      return this.refuse(id, new TooDeep({ function: head.name, depth, limit: nestedCallLimit }))
    }
    const limit = engine.settings.maxPayload
    if (payload.length > limit) {
      const size = payload.length
      return this.refuse(id, new PayloadTooLarge({ function: head.name, size, limit, direction: "payload" }))
    }
    if (head.cast) return this.cast(id, head, target, payload)
    const channel = NestedTerms.channelOf(head.layout)
    if (channel !== undefined && this.channels >= NestedHead.maxChannels) {
      return this.handle.link.violate("more nested streams and placed services than a runner may have")
    }
    const open: NestedFamily.Open = {
      id,
      caller,
      size: payload.length,
      call: undefined,
      relay: undefined,
      engine,
      isStopping: false,
      isAbandoned: false
    }
    if (channel !== undefined) open.relay = this.relayOf(open, engine, channel === "service")
    this.add(open)
    const terms = NestedTerms.of(head, engine, caller, this.engine.now())
    const near = engine === this.engine ? caller : undefined
    const resume = (exit: CallExit) => this.answer(open, exit)
    const call = new NestedCall(engine, head, payload, terms, engine.now(), resume, near, depth)
    // The caller resumes when the nested call leaves its slot. The final frame of a stream may still wait for its items.
    call.leaving = () => (open.relay === undefined ? this.remove(open) : NestedFamily.leave(this.engine, open))
    open.call = call
    call.messages = open.relay
    engine.submit(call)
  }

  /** Makes the relay of a nested stream or placed service. */
  private relayOf(open: NestedFamily.Open, engine: PoolEngine, isService: boolean): NestedRelay {
    const own = this.engine.settings.maxPayload
    const limit = engine.settings.maxPayload
    const relay = new NestedRelay(this.handle.link, open.id, own, limit, isService, {
      begun: () => NestedFamily.lendSlot(engine, open.call!),
      built: () => {
        const call = open.call!
        // The timeout of `Flame.place` is for building the service.
        call.expiry = undefined
        if (call.heapIndex >= 0) engine.timer.cancel(call)
      },
      tooLarge: (size) => {
        if (open.isStopping) return
        open.isStopping = true
        const { name } = open.call!.fn
        relay.drop()
        this.stop(open, false, () => {
          if (this.remove(open))
            this.refuse(open.id, new PayloadTooLarge({ function: name, size, limit, direction: "payload" }))
        })
      }
    })
    relay.server = () => open.call?.channel
    return relay
  }

  /** Handles bytes of messages for a function's stream or placed service. Drops bytes that cross its final frame. */
  items(id: number, bytes: Buffer): void {
    const open = this.open.get(id)
    if (open === undefined) return
    if (open.relay?.isBegun !== true) return this.handle.link.violate("messages for a nested call that has not begun")
    open.relay.taker.onItems(bytes)
  }

  /** Handles a grant of bytes for the messages of a nested stream or placed service. */
  grant(id: number, more: number): void {
    this.open.get(id)?.relay?.taker.onGrant(more)
  }

  private cast(
    id: number,
    head: NestedHead.NestedHead,
    target: PoolRegistry.RegisteredPool,
    payload: Uint8Array
  ): void {
    if (NestedTerms.channelOf(head.layout) !== undefined)
      return this.refuse(id, NestedTerms.missing(head, "a stream cannot be cast"))
    const limit = NestedHead.limits.mostHeld
    if (this.held >= limit) {
      const size = this.held + payload.length
      return this.refuse(id, new PayloadTooLarge({ function: head.name, size, limit, direction: "payload" }))
    }
    const terms = NestedTerms.of(head, target.engine, undefined, this.engine.now())
    const refusal = this.casts.submit(head, target, payload, terms)
    if (refusal === undefined) this.handle.link.send(Kind.Success, id, none, none)
    else this.send(id, refusal, head.name)
  }

  /** Bytes that the parent holds for this runner's nested calls. */
  private get held(): number {
    return this.size + this.casts.size + this.handle.link.unsent
  }

  /**
   * Handles the runner's cancel of a nested call, and charges its price.
   *
   * Two cancels are free. `isEnough`: the function needs no more of a stream or a placed service that has begun.
   * `isAbandoned`: the parent has ended the caller, so the runner has to send the cancel.
   */
  private cancelled(id: number, isEnough: boolean): void {
    const open = this.open.get(id)
    const isDone = isEnough && open?.relay?.isBegun === true
    if (open?.isAbandoned === true) open.isAbandoned = false
    else if (!isDone) this.toll.charge(cancelPrice)
    this.cancel(id, open, isDone)
  }

  private cancel(id: number, open: NestedFamily.Open | undefined, isDone: boolean): void {
    if (open !== undefined) {
      if (open.isStopping) return
      open.isStopping = true
      open.relay?.drop()
      return this.stop(open, isDone, () => {
        // The answer may have left before the call stopped.
        if (this.remove(open)) this.handle.link.control(Kind.Interrupted, id)
      })
    }
    // Ends a payload that has not arrived whole, or a result that is still being sent in parts. Otherwise the answer
    // has left and crosses the cancel.
    const { link } = this.handle
    if (link.forget(id, "request") || link.abandon(id, "response")) link.control(Kind.Interrupted, id)
  }

  private stop({ call, engine }: NestedFamily.Open, isDone: boolean, then: () => void): void {
    if (call === undefined || engine === undefined) return then()
    this.beside(Effect.map(isDone ? engine.finish(call) : engine.interrupt(call), then))
  }

  private answer(open: NestedFamily.Open, exit: CallExit): void {
    const { relay } = open
    const tell = () => {
      // The cancel has dropped the messages, and sends the answer when the call has stopped.
      if (open.isStopping) return
      if (this.remove(open) && !this.handle.link.closed) this.send(open.id, exit, open.call?.fn.name ?? "?")
    }
    if (relay === undefined) {
      this.remove(open)
      if (!this.handle.link.closed) this.send(open.id, exit, open.call?.fn.name ?? "?")
      return
    }
    NestedFamily.leave(this.engine, open)
    // After a timeout the relay drops unsent items, as a call of the app does.
    relay.finish(NestedTerms.isTimeout(exit), tell)
  }

  private send(id: number, exit: CallExit, name: string): void {
    const { link } = this.handle
    if (NestedTerms.isFailure(exit)) {
      const died = Exit.findDefect(exit)
      return died._tag === "Success" ? this.die(id, died.success) : this.fail(id, Exit.findErrorOption(exit))
    }
    const { bytes, kind, runner } = (exit as Exit.Success<RawAnswer>).value
    const limit = NestedHead.limits.mostHeld
    // Large answers wait here until the runner takes them.
    if (bytes.length > inlineLimit && this.held >= limit) {
      const size = this.held + bytes.length
      return this.refuse(id, new PayloadTooLarge({ function: name, size, limit, direction: "result" }))
    }
    try {
      link.send(kind as Kind, id, kind === Kind.Defect ? encodeRunner(runner) : none, bytes)
    } catch (defect) {
      this.die(id, defect)
    }
  }

  /** Ends a nested call that this parent could not make, or whose answer it could not send, with the defect. */
  private die(id: number, defect: unknown): void {
    this.toll.charge(1)
    const [kind, body] = Answer.died(defect)
    this.handle.link.send(kind, id, encodeRunner("(its parent)"), body)
  }

  private refuse(id: number, reason: Reason): void {
    this.toll.charge(1)
    this.handle.link.send(Kind.Refused, id, none, FlameErrorCodec.encode(new FlameError({ reason })))
  }

  private fail(id: number, error: { readonly _tag: string; readonly value?: unknown }): void {
    const reason = error.value instanceof FlameError ? error.value.reason : undefined
    this.refuse(
      id,
      reason ?? new PoolMissing({ pool: "?", function: "?", detail: "its parent could not make the call" })
    )
  }

  private add(open: NestedFamily.Open): void {
    const { caller } = open
    this.open.set(open.id, open)
    this.size += open.size
    if (open.relay !== undefined) this.channels++
    NestedFamily.join(this.engine, open, () => this.abandon(caller))
  }

  /** Removes a call that has its answer. Resumes the caller after the last one. Returns false if it was removed before. */
  private remove(open: NestedFamily.Open): boolean {
    if (this.open.get(open.id) !== open) return false
    this.open.delete(open.id)
    this.size -= open.size
    if (open.relay !== undefined) {
      this.channels--
      open.relay.taker.endChannel()
    }
    NestedFamily.leave(this.engine, open)
    return true
  }

  /** Cancels the nested calls of a caller that has ended, which its runner should have done. */
  private abandon(caller: Call): void {
    const open = NestedFamily.openOf(caller)
    caller.calls = undefined
    for (const each of open) {
      each.isAbandoned = true
      this.cancel(each.id, each, false)
    }
  }
}
