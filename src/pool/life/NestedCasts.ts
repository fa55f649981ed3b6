/**
 * The casts that functions of one runner make. A cast belongs to its pool and may outlive its runner, so their number and
 * their bytes are bounded for each runner.
 */
import * as Exit from "effect/Exit"
import { FlameError, QueueFull, RemoteDefect } from "../../error/FlameError.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import { Kind } from "../../wire/Frame.ts"
import * as NestedHead from "../../wire/NestedHead.ts"
import { Call, type CallExit, type CallTerms, type RawAnswer } from "../engine/Call.ts"
import type * as PoolRegistry from "../engine/PoolRegistry.ts"
import type { NestedToll } from "./NestedToll.ts"

/** The price of a cast that did not run, in failures: such a cast is logged and published besides. */
const castPrice = 2

export class NestedCasts {
  /** Bytes of the payloads of casts that are not over. */
  size = 0
  private count = 0
  private readonly toll: NestedToll
  private readonly mayLog: (bytes: number) => boolean

  constructor(toll: NestedToll, mayLog: (bytes: number) => boolean) {
    this.toll = toll
    this.mayLog = mayLog
  }

  /** Submits a cast to its pool. Returns its exit if the pool does not accept the cast. */
  submit(
    head: NestedHead.NestedHead,
    { castFailed, engine }: PoolRegistry.RegisteredPool,
    payload: Uint8Array,
    terms: CallTerms
  ): CallExit | undefined {
    if (this.count >= NestedHead.maxCasts) {
      const full = { pool: head.pool, function: head.name, waiting: this.count, capacity: NestedHead.maxCasts }
      return Exit.fail(new FlameError({ reason: new QueueFull(full) }))
    }
    this.count++
    this.size += payload.length
    let refusal: CallExit | undefined
    let isAccepted = false
    const resume = (exit: CallExit) => {
      this.count--
      this.size -= payload.length
      if (!isAccepted && isFailure(exit)) refusal = exit
      else {
        // A function that ran and failed is not the fault of the runner that made the cast.
        if (isFailure(exit)) this.toll.charge(castPrice)
        castFailed(head, exitOfCast(head.name, exit), this.mayLog)
      }
    }
    engine.submit(new Call(engine, head, undefined, payload, terms, engine.now(), resume))
    isAccepted = true
    return refusal
  }
}

const isFailure = (exit: CallExit): exit is Exit.Failure<unknown, unknown> => Exit.isExit(exit) && Exit.isFailure(exit)

/** The exit of a cast, whose values are bytes on this side. */
const exitOfCast = (name: string, exit: CallExit): Exit.Exit<unknown, unknown> => {
  if (isFailure(exit)) return exit
  const { bytes, kind, runner } = (exit as Exit.Success<RawAnswer>).value
  if (kind === Kind.Success) return Exit.void
  if (kind === Kind.Failure) return Exit.fail("an error of its own")
  return Exit.die(new RemoteDefect({ function: name, runner, ...FunctionCodec.decodeDefect(bytes) }))
}
