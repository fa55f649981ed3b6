/**
 * The parent's side of the calls that functions of one runner make: passes each on to the pool that it names, and its answer
 * back to the runner.
 *
 * A call is suspended while it has an open nested call. Its function may do other work meanwhile: the parent cannot know
 * whether a function waits.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import {
  FlameError,
  PayloadTooLarge,
  PoolMissing,
  QueueFull,
  type Reason,
  RemoteDefect,
  TooDeep
} from "../../error/FlameError.ts"
import { printableLine, printableRecord } from "../../error/PeerText.ts"
import * as FlameErrorCodec from "../../function/FlameErrorCodec.ts"
import { isStreaming } from "../../function/FlameFunction.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import { encodeRunner } from "../../call/DefectOrigin.ts"
import type { RunnerHandle } from "../engine/RunnerHandle.ts"
import { inlineLimit, Kind } from "../../wire/Frame.ts"
import * as NestedHead from "../../wire/NestedHead.ts"
import type { Extras } from "../../wire/Request.ts"
import { Call, type CallExit, type CallTerms, type NestedOf, type RawAnswer } from "../engine/Call.ts"
import { nestedCallLimit, NestedCall } from "../engine/Call.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"
import * as PoolRegistry from "../engine/PoolRegistry.ts"
import { cancelPrice, NestedToll } from "./NestedToll.ts"

/** A nested call without an answer. */
interface Open {
  readonly id: number
  readonly caller: Call
  readonly size: number
  /** The call in its pool. Set as it is submitted. */
  call: Call | undefined
  engine: PoolEngine | undefined
  /** Whether the call was cancelled, so that its end is awaited already. */
  isStopping: boolean
}

/** The open calls of one caller. */
interface Family extends NestedOf {
  readonly open: Set<Open>
}

const none = new Uint8Array(0)

/** The price of a cast that did not run, in failures: such a cast is logged and published besides. */
const castPrice = 2

export class NestedSession {
  private readonly open = new Map<number, Open>()
  private readonly engine: PoolEngine
  private readonly backend: object
  private readonly handle: RunnerHandle
  private readonly beside: (effect: Effect.Effect<void>) => void
  /** Bytes of payloads of calls without an answer, and of payloads that are still coming. */
  private size = 0
  private readonly coming = new Map<number, number>()
  /** Casts that are not over, and bytes of their payloads: they belong to their pool, but a runner can make many. */
  private casts = 0
  private castSize = 0
  private readonly toll: NestedToll
  private readonly mayLog: (bytes: number) => boolean

  /**
   * `engine` is that of the pool whose runner this is, `beside` runs an effect in the background, `mayLog` says whether a
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
    this.mayLog = mayLog
    this.engine = engine
    this.backend = backend
    this.handle = handle
    this.beside = beside
  }

  message(kind: number, id: number, body: Buffer, large: Uint8Array | undefined): void {
    const { link } = this.handle
    this.toll.onFrame()
    // the rest of the large body would come without being counted
    if (kind === Kind.Nested && large === undefined && this.coming.has(id)) {
      return link.violate("a call of a function under the id of a large one that is coming")
    }
    this.arrived(id)
    if (kind === Kind.NestedCancel) return this.cancel(id)
    const head = NestedHead.decode(body)
    const caller = head === undefined ? undefined : this.handle.calls[head.caller]
    if (head === undefined || this.open.has(id) || caller === undefined) {
      return link.violate("a call of a function that is not understood here")
    }
    const payload = large ?? Buffer.from(body.subarray(head.end))
    // such as a call of `idleWhen`, which has no slot to lend
    if (!(caller instanceof Call)) return this.refuse(id, missing(head, "only a function that was called can call"))
    if (isStreaming(head.layout)) return this.refuse(id, missing(head, "a function cannot take a stream"))
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
      // The caller may be sent again, to another runner: its nested calls belong to the session there.
      open.caller.calls = undefined
      // a cancelled call is stopped already
      if (!open.isStopping) this.stop(open, () => {})
    }
  }

  private excess(caller: Call, size: number): string | undefined {
    const { settings } = this.engine
    if (this.open.size >= NestedHead.maxOpen) return "more nested calls than a runner may have"
    if ((familyOf(caller)?.open.size ?? 0) >= NestedHead.maxOpenOfCall) return "more nested calls than a call may have"
    if (size > settings.maxPayload || this.size >= NestedHead.limits.mostHeld) {
      return "nested calls with too large payloads"
    }
    return undefined
  }

  private submit(id: number, head: NestedHead.NestedHead, caller: Call, payload: Uint8Array): void {
    const target = PoolRegistry.find(head.pool, this.engine, this.backend)
    if (target === undefined) {
      return this.refuse(id, missing(head, "the parent has no such pool: provide its layer beside its FlameLayer"))
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
    const open: Open = { id, caller, size: payload.length, call: undefined, engine, isStopping: false }
    this.add(open)
    const terms = this.termsOf(head, engine, caller)
    const near = engine === this.engine ? caller : undefined
    const resume = (exit: CallExit) => this.answer(open, exit)
    const call = new NestedCall(engine, head, payload, terms, engine.now(), resume, near, depth)
    call.leaving = () => this.remove(open)
    open.call = call
    engine.submit(call)
  }

  private cast(
    id: number,
    head: NestedHead.NestedHead,
    { castFailed, engine }: PoolRegistry.RegisteredPool,
    payload: Uint8Array
  ): void {
    const limit = NestedHead.limits.mostHeld
    if (this.held >= limit) {
      const size = this.held + payload.length
      return this.refuse(id, new PayloadTooLarge({ function: head.name, size, limit, direction: "payload" }))
    }
    if (this.casts >= NestedHead.maxCasts) {
      const full = { pool: head.pool, function: head.name, waiting: this.casts, capacity: NestedHead.maxCasts }
      return this.refuse(id, new QueueFull(full))
    }
    this.casts++
    this.castSize += payload.length
    let refusal: CallExit | undefined
    let isAccepted = false
    const resume = (exit: CallExit) => {
      this.casts--
      this.castSize -= payload.length
      if (!isAccepted && isFailure(exit)) refusal = exit
      else {
        // a function that ran and failed is no fault of the runner that cast it
        if (isFailure(exit)) this.toll.charge(castPrice)
        castFailed(head, exitOfCast(head.name, exit), this.mayLog)
      }
    }
    const terms = this.termsOf(head, engine, undefined)
    engine.submit(new Call(engine, head, undefined, payload, terms, engine.now(), resume))
    isAccepted = true
    if (refusal === undefined) this.handle.link.send(Kind.Success, id, none, none)
    else this.send(id, refusal, head.name)
  }

  /** The terms of a nested call. Its budget is at most what is left of the caller's budget. */
  private termsOf(head: NestedHead.NestedHead, engine: PoolEngine, caller: Call | undefined): CallTerms {
    const { budget, extras, span } = head.terms
    const own = budget ?? (head.isUnbounded ? undefined : engine.settings.timeout)
    const left =
      caller?.expiry === undefined || caller.phase !== "open"
        ? Infinity
        : Math.max(0, caller.expiry - this.engine.now())
    const timeout = Math.min(own ?? Infinity, left)
    const finite = timeout === Infinity ? undefined : timeout
    return { span, extras: cleaned(extras), timeout: finite, lease: -1, leasedRunner: undefined, cast: head.cast }
  }

  /** Bytes that the parent holds for this runner's nested calls. */
  private get held(): number {
    return this.size + this.castSize + this.handle.link.unsent
  }

  private cancel(id: number): void {
    this.toll.charge(cancelPrice)
    const open = this.open.get(id)
    if (open !== undefined) {
      if (open.isStopping) return
      open.isStopping = true
      return this.stop(open, () => {
        // the answer may have left before the call stopped
        if (this.remove(open)) this.handle.link.control(Kind.Interrupted, id)
      })
    }
    // a payload that has not come whole, or a result that is still leaving in parts, ends here. Otherwise the answer has
    // left and crosses the cancel
    const { link } = this.handle
    if (link.forget(id, "request") || link.abandon(id, "response")) link.control(Kind.Interrupted, id)
  }

  private stop({ call, engine }: Open, then: () => void): void {
    if (call === undefined || engine === undefined) return then()
    this.beside(Effect.map(engine.interrupt(call), then))
  }

  private answer(open: Open, exit: CallExit): void {
    this.remove(open)
    if (!this.handle.link.closed) this.send(open.id, exit, open.call?.fn.name ?? "?")
  }

  private send(id: number, exit: CallExit, name: string): void {
    const { link } = this.handle
    if (isFailure(exit)) return this.fail(id, Exit.findErrorOption(exit))
    const { bytes, kind, runner } = (exit as Exit.Success<RawAnswer>).value
    const limit = NestedHead.limits.mostHeld
    // large answers wait here until the runner takes them
    if (bytes.length > inlineLimit && this.held >= limit) {
      const size = this.held + bytes.length
      return this.refuse(id, new PayloadTooLarge({ function: name, size, limit, direction: "result" }))
    }
    link.send(kind as Kind, id, kind === Kind.Defect ? encodeRunner(runner) : none, bytes)
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

  private add(open: Open): void {
    const { caller } = open
    this.open.set(open.id, open)
    this.size += open.size
    let family = familyOf(caller)
    if (family === undefined) {
      const own: Family = { open: new Set(), end: () => this.abandon(caller, own) }
      caller.calls = family = own
    }
    family.open.add(open)
    if (family.open.size === 1) this.engine.step({ _tag: "Suspend", now: this.engine.now(), ticket: caller })
  }

  /** Removes a call that has its answer. Resumes the caller after the last one. Returns false if it was removed before. */
  private remove(open: Open): boolean {
    if (this.open.get(open.id) !== open) return false
    this.open.delete(open.id)
    this.size -= open.size
    const family = familyOf(open.caller)
    if (family?.open.delete(open) === true && family.open.size === 0) {
      this.engine.step({ _tag: "Resume", now: this.engine.now(), ticket: open.caller })
    }
    return true
  }

  /** Cancels the nested calls of a caller that has ended, which its runner should have done. */
  private abandon(caller: Call, { open }: Family): void {
    caller.calls = undefined
    for (const each of open) this.cancel(each.id)
  }
}

/** Cleans the log annotations of a runner: other runners and the parent will log them. */
const cleaned = (extras: Extras | undefined): Extras | undefined =>
  extras?.annotations === undefined ? extras : { ...extras, annotations: printableRecord(extras.annotations) }

const familyOf = (caller: Call): Family | undefined => caller.calls as Family | undefined

const missing = ({ name, pool }: NestedHead.NestedHead, detail: string): PoolMissing =>
  new PoolMissing({ pool: printableLine(pool), function: name, detail })

const isFailure = (exit: CallExit): exit is Exit.Failure<unknown, unknown> => Exit.isExit(exit) && Exit.isFailure(exit)

/** The exit of a cast, whose values are bytes on this side. */
const exitOfCast = (name: string, exit: CallExit): Exit.Exit<unknown, unknown> => {
  if (isFailure(exit)) return exit
  const { bytes, kind, runner } = (exit as Exit.Success<RawAnswer>).value
  if (kind === Kind.Success) return Exit.void
  if (kind === Kind.Failure) return Exit.fail("an error of its own")
  return Exit.die(new RemoteDefect({ function: name, runner, ...FunctionCodec.decodeDefect(bytes) }))
}
