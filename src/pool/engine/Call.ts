/**
 * A call on the parent: a ticket to the policy, a call to its runner's handle, a deadline to the pool's timer, and the
 * effect that its interrupted caller runs.
 *
 * One object serves all four: a waiting call then costs little memory, and a running call no look-up. Fields that most
 * calls never need are declared, and have their value on the prototype: they take memory and time once they are set.
 *
 * The policy writes `state`, the engine writes `phase`. These pairs are legal:
 *
 * | `state`   | `phase`    | the call |
 * |-----------|------------|----------|
 * | `idle`    | `open`     | is made, or between two steps of one event |
 * | `waiting` | `open`     | waits in a queue |
 * | `running` | `open`     | has a slot, and its caller waits |
 * | `running` | `lost`     | its runner went: its caller waits for the reason, or to be sent again |
 * | `running` | `stopping` | has a slot, but nobody waits for its result |
 * | any       | `over`     | is answered; the policy may still free its slot |
 *
 * Fields of `Ticket` belong to the policy, except `lease` and `isSuspect`; `linkId`, `turn` and `channel` to the handle;
 * `at` and `heapIndex` to the timer; all others to the engine.
 */
import type * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import { FlameError, type Reason } from "../../error/FlameError.ts"
import * as Unhandled from "../../error/Unhandled.ts"
import type { AnyFunction } from "../../function/FlameFunction.ts"
import type * as FunctionCodec from "../../function/FunctionCodec.ts"
import type { RunnerCall } from "./RunnerHandle.ts"
import * as Outcome from "../../call/Outcome.ts"
import { tellStopped } from "../../call/StopWaiters.ts"
import type { CallExit } from "../../call/Outcome.ts"
import type { Channel, ChannelHandlers } from "../../wire/Channel.ts"
import { Kind } from "../../wire/Frame.ts"
import type { Extras, SpanIds } from "../../wire/Request.ts"
import type { Deadline } from "../policy/Deadlines.ts"
import type { Slot, Ticket, TicketQueue } from "../policy/Ticket.ts"

/** Something the pool's one timer can be set for. */
export interface Due extends Deadline {
  readonly due: (now: number) => void
}

/** The engine of a call's pool, as far as the call reports to it. */
export interface CallOwner {
  readonly final: (call: Call, kind: number, body: Buffer, large: Uint8Array | undefined) => void
  readonly expired: (call: Call, now: number) => void
  readonly detached: (call: Call) => void
  /** Stops the call of an interrupted caller. */
  readonly interrupt: (call: Call) => Effect.Effect<void>
  /** Called for every call that ends, if an observer watches the pool. */
  readonly watch?: CallObserver | undefined
}

/** Called when the caller has its answer. */
export interface CallObserver {
  readonly end: (call: Call, exit: Exit.Exit<unknown, unknown>) => void
}

/** Receives the items of a stream. */
export interface CallMessages extends ChannelHandlers {
  /** Whether any item has arrived. */
  readonly isBegun: boolean
}

/** The terms of a call besides its function and payload. */
export interface CallTerms {
  readonly span: SpanIds | undefined
  readonly extras: Extras | undefined
  /** The call's budget in milliseconds. Undefined: no budget. */
  readonly timeout: number | undefined
  readonly lease: number
  /** Name of the runner of that lease. */
  readonly leasedRunner: string | undefined
  readonly cast: boolean
}

export type { CallExit } from "../../call/Outcome.ts"

/** The part of a function that a call needs. A nested call may be of a function whose code the parent does not have. */
export type CalledFunction = Pick<AnyFunction, "name" | "layout" | "idempotent">

/** The answer to a call that passes bytes on without decoding them. */
export interface RawAnswer {
  readonly kind: number
  readonly bytes: Uint8Array
  readonly runner: string
}

/** The nested calls of one call. */
export interface NestedOf {
  /** Called when their caller has ended. */
  readonly end: () => void
}

export class Call extends Effectable.Class<void> implements Ticket, RunnerCall, Due {
  state: "idle" | "waiting" | "running" = "idle"
  runner = -1
  lease: number
  readonly cast: boolean
  declare readonly nested: boolean
  declare readonly caller: Call | undefined
  declare slot: Slot | undefined
  declare isSuspended: boolean
  seq = -1
  queue: TicketQueue | undefined = undefined
  prev: Ticket | undefined = undefined
  next: Ticket | undefined = undefined
  linkId = 0
  turn = 0
  at = 0
  heapIndex = -1
  /** Written by the engine; see the table above. */
  phase: "open" | "lost" | "stopping" | "over" = "open"
  /** Pings that its runner had answered when the call was cancelled. */
  declare pongs: number
  /** Whether its function did not stop within `cancelGrace`. */
  declare isStuck: boolean
  /** The fibers that wait until the function has stopped, or is given up. */
  declare stopped: Array<() => void> | undefined
  submittedAt: number
  dispatchedAt = 0
  /** Index of the runner it was sent to last, or -1. */
  ranOn = -1
  /** The number of times that the call was sent. A call that was never handed to a connection does not count. */
  sent = 0
  /** Whether a runner that may have run the call was lost. */
  declare mayHaveRun: boolean
  /**
   * Whether the call may have ended its runners. The last attempt of such a call shares its runner with no other call.
   */
  declare isSuspect: boolean
  /** The number of calls around it. 0 for a call that the app makes. */
  declare readonly depth: number
  /** The calls that its function has made, if any. */
  declare calls: NestedOf | undefined
  /** Whether its slot may be lent until it ends: a nested stream or placed service, which waits for its caller. */
  declare lendsSlot: boolean
  /** Called when its function has ended, before its slot is free. */
  declare leaving: (() => void) | undefined
  /** Its span, or another observer of its end. */
  declare trace: CallObserver | undefined
  /** Milliseconds that the function ran, if the runner was asked and has answered. */
  declare ranFor: number | undefined
  /** Receives the items of a stream. */
  declare messages: CallMessages | undefined
  declare channel: Channel | undefined
  /** The end of its budget, in the pool's time. */
  expiry: number | undefined
  readonly fn: CalledFunction
  /** Undefined if the parent passes bytes on without decoding, because it may not have the function. */
  readonly codec: FunctionCodec.FunctionCodec | undefined
  /** The payload, or the buffer that it is a part of while the call waits. */
  private bytes: Uint8Array | ArrayBuffer
  declare private from: number
  declare private size: number
  readonly terms: CallTerms
  private readonly owner: CallOwner
  private readonly resume: (exit: CallExit) => void

  constructor(
    owner: CallOwner,
    fn: CalledFunction,
    codec: FunctionCodec.FunctionCodec | undefined,
    payload: Uint8Array,
    terms: CallTerms,
    now: number,
    resume: (exit: CallExit) => void
  ) {
    super()
    this.owner = owner
    this.fn = fn
    this.codec = codec
    this.bytes = payload
    this.terms = terms
    this.lease = terms.lease
    this.cast = terms.cast
    this.submittedAt = now
    this.expiry = terms.timeout === undefined ? undefined : now + terms.timeout
    this.resume = resume
  }

  get payload(): Uint8Array {
    return this.bytes instanceof Uint8Array ? this.bytes : new Uint8Array(this.bytes, this.from, this.size)
  }

  /**
   * Drops the view of a payload that a codec has written: the view of a small payload takes more memory than the payload.
   * Not for bytes of the caller, whose buffer may be detached.
   */
  park(): void {
    const { bytes } = this
    if (!(bytes instanceof Uint8Array)) return
    this.bytes = bytes.buffer as ArrayBuffer
    this.from = bytes.byteOffset
    this.size = bytes.length
  }

  /** Stops the call of an interrupted caller, and waits for the finalizers of its function. */
  override asEffect(): Effect.Effect<void> {
    return this.owner.interrupt(this)
  }

  final(kind: number, body: Buffer, large: Uint8Array | undefined): void {
    this.owner.final(this, kind, body, large)
  }

  detached(): void {
    this.owner.detached(this)
  }

  get isTimed(): boolean {
    return this.trace !== undefined
  }

  ran(millis: number): void {
    this.ranFor = millis
  }

  due(now: number): void {
    this.owner.expired(this, now)
  }

  /**
   * Whether the call may be resent when its runner is lost. False for a call that a withRunner pins to its runner, and
   * for a stream whose reader has got items already.
   */
  get mayRunAgain(): boolean {
    return this.fn.idempotent && this.lease < 0 && this.messages?.isBegun !== true
  }

  /** Gives the caller its answer. Later answers are dropped. */
  settle(exit: CallExit, phase: "stopping" | "over", isFailure = false): void {
    this.phase = phase
    // An answer that is still to be decoded, or is passed on as bytes, has no value yet for the observers.
    if (!Exit.isExit(exit) || (isFailure && Exit.isSuccess(exit))) this.observe(isFailure ? undecoded : Exit.void)
    else this.observe(exit)
    try {
      // Resumes the caller's fiber at once, whose observers may throw.
      this.resume(exit)
    } catch (error) {
      Unhandled.report(error)
    }
  }

  /** Tells the observers how the call ended. An observer that throws must not cost the caller its answer. */
  observe(exit: Exit.Exit<unknown, unknown>): void {
    try {
      this.owner.watch?.end(this, exit)
      this.trace?.end(this, exit)
    } catch {
      // A tracer that throws is itself at fault, and its error is dropped.
    }
  }

  fail(reason: Reason, phase: "stopping" | "over" = "over"): void {
    this.settle(Exit.fail(new FlameError({ reason })), phase)
  }

  /** Ends the call: its function has stopped. */
  end(): void {
    this.phase = "over"
    tellStopped(this)
  }

  /** Decodes a final frame that carries a value or the function's own failure. */
  decode(kind: number, body: Buffer, large: Uint8Array | undefined, runner: string): CallExit {
    if (this.codec === undefined)
      return Exit.succeed({ kind, bytes: large ?? Buffer.from(body), runner } satisfies RawAnswer)
    if (kind === Kind.Success && this.messages !== undefined) return Exit.void
    return Outcome.read(this.fn.name, this.codec, kind, body, large, runner)
  }
}

const rare: Partial<Call> = {
  nested: false,
  caller: undefined,
  slot: undefined,
  isSuspended: false,
  pongs: 0,
  isStuck: false,
  stopped: undefined,
  mayHaveRun: false,
  isSuspect: false,
  depth: 0,
  calls: undefined,
  lendsSlot: false,
  leaving: undefined,
  trace: undefined,
  ranFor: undefined,
  messages: undefined,
  channel: undefined
}
Object.assign(Call.prototype, rare)

/** The exit of a failure whose error is not decoded, as observers see it. */
const undecoded = Exit.fail(new Error("the error is decoded by the caller"))

/** The largest `depth` of a nested call. A deeper call fails with `TooDeep`; casts are not limited. */
export const nestedCallLimit = 32

/** A call that a function makes. The parent passes its bytes on, because it need not have the called function. */
export class NestedCall extends Call {
  override readonly nested = true
  override readonly caller: Call | undefined
  override readonly depth: number

  /** `caller` is the call whose function makes this call, if that function runs in the same pool. */
  constructor(
    owner: CallOwner,
    fn: CalledFunction,
    payload: Uint8Array,
    terms: CallTerms,
    now: number,
    resume: (exit: CallExit) => void,
    caller: Call | undefined,
    depth: number
  ) {
    super(owner, fn, undefined, payload, terms, now, resume)
    this.caller = caller
    this.depth = depth
  }
}
