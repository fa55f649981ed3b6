/** The terms of a nested call in its pool, and the meaning of its layout and its exit. */
import * as Exit from "effect/Exit"
import { FlameError, PoolMissing } from "../../error/FlameError.ts"
import { printableLine, printableRecord } from "../../error/PeerText.ts"
import { isPlaced, isStreaming } from "../../function/FlameFunction.ts"
import type { NestedHead } from "../../wire/NestedHead.ts"
import type { Extras } from "../../wire/Request.ts"
import type { Call, CallExit, CallTerms } from "../engine/Call.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"

/** The terms of a nested call. Its budget is at most the rest of the caller's budget. */
export const of = (head: NestedHead, engine: PoolEngine, caller: Call | undefined, now: number): CallTerms => {
  const { budget, extras, span } = head.terms
  const own = budget ?? (head.isUnbounded ? undefined : engine.settings.timeout)
  const left = caller?.expiry === undefined || caller.phase !== "open" ? Infinity : Math.max(0, caller.expiry - now)
  const timeout = Math.min(own ?? Infinity, left)
  const finite = timeout === Infinity ? undefined : timeout
  return { span, extras: cleaned(extras), timeout: finite, lease: -1, leasedRunner: undefined, cast: head.cast }
}

/** Cleans the log annotations of a runner: other runners and the parent will log them. */
const cleaned = (extras: Extras | undefined): Extras | undefined =>
  extras?.annotations === undefined ? extras : { ...extras, annotations: printableRecord(extras.annotations) }

export const missing = ({ name, pool }: NestedHead, detail: string): PoolMissing =>
  new PoolMissing({ pool: printableLine(pool), function: name, detail })

export const isFailure = (exit: CallExit): exit is Exit.Failure<unknown, unknown> =>
  Exit.isExit(exit) && Exit.isFailure(exit)

/** The kind of channel, a stream or a placed service, that answers a nested call of this layout. */
export const channelOf = (layout: string): "stream" | "service" | undefined =>
  isStreaming(layout) ? "stream" : isPlaced(layout) ? "service" : undefined

export const isTimeout = (exit: CallExit): boolean => {
  const error = isFailure(exit) ? Exit.findErrorOption(exit) : undefined
  return error?._tag === "Some" && error.value instanceof FlameError && error.value.reason._tag === "TimedOut"
}
