/** The rules of a single operation, by the caller's view and the runners' records. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { FlameError, RemoteDefect } from "../../src/error/FlameError.ts"
import { type Execution, type LedgerState, Refused } from "./Functions.ts"
import type { Operation } from "./Operations.ts"
import type { Options } from "./Schedule.ts"

/** The largest number of times that an idempotent call is sent. */
export const attempts = 3

/** The broken rule of an operation, or undefined. */
export const violation = (operation: Operation, ledger: LedgerState, options: Options): string | undefined =>
  lasting(operation, options) ?? executed(operation, ledger) ?? outcome(operation, ledger)

/** Checks that the operation ended once, and within its timeout or its interruption. */
const lasting = ({ begun, doing, ended, ends, interrupted, seen }: Operation, options: Options): string | undefined => {
  if (ended === undefined) return `${doing._tag} never ended`
  if (ends !== 1) return `${doing._tag} ended ${ends} times`
  if (interrupted !== undefined) {
    const took = ended - interrupted
    // A placed service ends in two steps: first its open requests, then itself.
    const steps = doing._tag === "Place" ? 2 : 1
    return took > steps * options.cancelGrace ? `the interruption of ${doing._tag} took ${took} ms` : undefined
  }
  // A placed service outlives the timeout of Flame.place. A slow reader goes on reading the items that arrived within
  // the timeout of its stream.
  const isBounded = doing._tag !== "Place" && (doing._tag !== "Items" || doing.pause === 0)
  if (isBounded && "timeout" in doing && doing.timeout !== undefined) {
    const took = ended - begun
    // A reader that stops waits for the finalizers of the function, as an interrupted caller does.
    const leaving = doing._tag === "Items" && seen.length === doing.take ? options.cancelGrace : 0
    if (took > doing.timeout + leaving) return `${doing._tag} took ${took} ms of a budget of ${doing.timeout} ms`
  }
  return undefined
}

/** Checks that a job ran at most once. An idempotent job ran at most `attempts` times, and never twice at a time. */
const executed = ({ doing }: Operation, ledger: LedgerState): string | undefined => {
  switch (doing._tag) {
    case "Call": {
      const runs = ledger.of(doing.job.id)
      if (!doing.often) return runs.length > 1 ? `a call ran ${runs.length} times` : undefined
      if (runs.length > attempts) return `an idempotent call ran ${runs.length} times`
      return overlapping(runs) ? "two runs of an idempotent call overlap" : undefined
    }
    case "Cast":
    case "Group":
    case "Items":
      return ledger.of(doing.job.id).length > 1 ? `a ${doing._tag} ran more than once` : undefined
    case "Within":
      return within(doing, ledger)
    case "Outer":
    case "Place":
      return ledger.of(doing.id).length > 1 ? `${doing._tag} ran more than once` : undefined
    case "Lease":
      return undefined
  }
}

/** Checks that a function with nested work, and each part of the work, ran at most once. An idempotent part may run again. */
const within = (doing: Extract<Operation["doing"], { _tag: "Within" }>, ledger: LedgerState): string | undefined => {
  if (ledger.of(doing.id).length > 1) return "Within ran more than once"
  if (ledger.of(doing.id + 1).length > 1) return "a nested service was built more than once"
  const runs = ledger.of(doing.inner.id)
  if (doing.within !== "deep") return runs.length > 1 ? `a nested ${doing.within} ran ${runs.length} times` : undefined
  if (runs.length > attempts) return `a nested idempotent call ran ${runs.length} times`
  return overlapping(runs) ? "two runs of a nested idempotent call overlap" : undefined
}

const overlapping = (runs: ReadonlyArray<Execution>): boolean =>
  runs.some((run, index) => index > 0 && run.begun < (runs[index - 1]?.ended ?? Infinity))

/** Checks that the caller's result fits the job, and the record of where it ran. */
const outcome = (operation: Operation, ledger: LedgerState): string | undefined => {
  const { doing, exit, interrupted, seen } = operation
  if (exit === undefined || doing._tag === "Lease") return undefined
  if (doing._tag === "Items" && seen.some((item, index) => item !== index)) return `items came as ${seen.join(", ")}`
  if (Exit.isSuccess(exit)) return succeeded(operation, exit.value, ledger)
  const [reason] = exit.cause.reasons
  if (reason === undefined) return `${doing._tag} failed without any reason`
  if (Cause.isInterruptReason(reason))
    return interrupted === undefined ? `${doing._tag} looks interrupted, and nobody did that` : undefined
  if (Cause.isDieReason(reason)) return died(operation, reason.defect)
  return failed(operation, reason.error, ledger)
}

const jobOf = ({ doing }: Operation): { readonly id: number; readonly ends: string } => {
  switch (doing._tag) {
    case "Outer":
    case "Within":
    case "Place":
      return { id: doing.id, ends: doing._tag === "Place" ? doing.how : "well" }
    case "Lease":
      return { id: -1, ends: "well" }
    default:
      return doing.job
  }
}

const succeeded = (operation: Operation, value: unknown, ledger: LedgerState): string | undefined => {
  const { doing, seen } = operation
  const { ends, id } = jobOf(operation)
  if (doing._tag === "Cast") return undefined
  const runs = ledger.of(id).length
  if (runs === 0) return `${doing._tag} ${id} succeeded, and never ran`
  switch (doing._tag) {
    case "Items":
      if (seen.length === Math.min(doing.take, doing.count) && (doing.take <= doing.count || isCalm(ends)))
        return undefined
      return `a stream ended well after ${seen.length} of ${doing.count} items, and its job ends ${ends}`
    case "Outer":
      return Number(value) <= doing.times ? undefined : `${doing.times} nested calls gave ${String(value)}`
    case "Within":
      return Number(value) <= Math.min(5, doing.take) ? undefined : `${doing.within} gave ${String(value)} items`
    case "Place":
      return ends === "well" ? undefined : `a service that is built ${ends} was placed`
    default:
      if (value !== id) return `job ${id} got ${String(value)}`
      return isCalm(ends) ? undefined : `job ${id} ends ${ends}, and succeeded`
  }
}

/** Whether a job succeeds in the end. */
const isCalm = (ends: string): boolean =>
  ends === "well" || ends === "late" || ends === "stubborn" || ends === "unfit" || ends === "throwing"

const died = (operation: Operation, defect: unknown): string | undefined => {
  const { ends, id } = jobOf(operation)
  const text = String(defect)
  if (!(defect instanceof RemoteDefect) && operation.doing._tag !== "Group" && operation.doing._tag !== "Place")
    return `${operation.doing._tag} died here of ${text}`
  if (ends === "dead") return text.includes(`dead ${id}`) ? undefined : `job ${id} died of ${text}`
  if (ends === "throwing") return text.includes("thrown by a codec") ? undefined : `job ${id} died of ${text}`
  return ends === "unfit" || ends === "unfitError" ? undefined : `job ${id} ends ${ends}, and died of ${text}`
}

const failed = (operation: Operation, error: unknown, ledger: LedgerState): string | undefined => {
  const { doing } = operation
  const { ends, id } = jobOf(operation)
  if (error instanceof Refused)
    return ends === "badly" && error.id === id ? undefined : `job ${id} ends ${ends}, and was refused as ${error.id}`
  if (!(error instanceof FlameError)) return `${doing._tag} failed with ${String(error)}`
  const why = error.reason
  if (["FunctionMissing", "InvalidPayload", "PayloadTooLarge", "PoolMissing", "TooDeep"].includes(why._tag))
    return `${doing._tag} failed with ${why.message}`
  if (doing._tag === "Call" && doing.often) return undefined
  if (why._tag === "RunnerLost" && why.mayHaveRun) return undefined
  if (why._tag === "TimedOut" && why.phase === "running") return undefined
  if (why._tag === "ServiceEnded" || why._tag === "PoolClosed") return undefined
  return ledger.of(id).length === 0 ? undefined : `${doing._tag} ${id} ran, though ${why.message}`
}
