/** A call that a function makes: passed on as bytes, because the parent need not have the function that it calls. */
import { Call, type CalledFunction, type CallExit, type CallOwner, type CallTerms } from "./Call.ts"

/** Calls are nested at most that deep. */
export const depthLimit = 32

export class NestedCall extends Call {
  override readonly nested = true
  override readonly caller: Call | undefined
  override readonly depth: number

  /** `caller` is the call whose function makes it, where that runs in the same pool. */
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
