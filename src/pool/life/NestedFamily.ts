/** The open nested calls of one caller. The caller is suspended from the first to the last of them. */
import type { Call, NestedOf } from "../engine/Call.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"
import type { NestedRelay } from "./NestedRelay.ts"

/** A nested call without an answer. */
export interface Open {
  readonly id: number
  readonly caller: Call
  readonly size: number
  /** The call in its pool. Set as it is submitted. */
  call: Call | undefined
  /** The relay of a stream or a placed service. */
  relay: NestedRelay | undefined
  engine: PoolEngine | undefined
  /** Whether the call was cancelled, so that its end is awaited already. */
  isStopping: boolean
  /** Whether its caller has ended, and the cancel of the runner for this call has not arrived. */
  isAbandoned: boolean
}

interface Family extends NestedOf {
  readonly open: Set<Open>
}

const nobody: ReadonlySet<Open> = new Set()

const familyOf = (caller: Call): Family | undefined => caller.calls as Family | undefined

/** The open nested calls of a caller. */
export const openOf = (caller: Call): ReadonlySet<Open> => familyOf(caller)?.open ?? nobody

/** Adds a nested call, and suspends its caller. `end` runs when the caller has ended. `engine` is that of the caller's pool. */
export const join = (engine: PoolEngine, open: Open, end: () => void): void => {
  const { caller } = open
  let family = familyOf(caller)
  if (family === undefined) {
    family = { open: new Set(), end }
    caller.calls = family
  }
  family.open.add(open)
  if (family.open.size === 1 && !caller.lendsSlot) {
    engine.step({ _tag: "Suspend", now: engine.now(), ticket: caller })
  }
}

/** Removes a nested call that has its answer, and resumes its caller after the last one. */
export const leave = (engine: PoolEngine, open: Open): void => {
  const { caller } = open
  const family = familyOf(caller)
  if (family?.open.delete(open) !== true || family.open.size > 0 || caller.lendsSlot) return
  engine.step({ _tag: "Resume", now: engine.now(), ticket: caller })
}

/**
 * Suspends a nested stream or placed service until it ends. Its function may wait for the caller, which may wait for another
 * nested call: on a pool without a free slot all three would wait for ever.
 */
export const lendSlot = (engine: PoolEngine, call: Call): void => {
  call.lendsSlot = true
  engine.step({ _tag: "Suspend", now: engine.now(), ticket: call })
}
