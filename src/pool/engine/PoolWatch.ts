/** An observer of one pool. A pool has one only while something watches it, such as `FlameStatus`. */
import type { LogLine } from "../../wire/LogLine.ts"
import type { PoolEvent } from "../status/PoolEvent.ts"
import type { Call, CallObserver } from "./Call.ts"

export interface PoolWatch extends CallObserver {
  /** A call was made. May set the call's `trace`, so that the runner is asked how long the function runs. */
  readonly submitted: (call: Call) => void
  readonly event: (event: PoolEvent) => void
  /** A runner has logged a line. */
  readonly line: (runner: string, line: LogLine) => void
}
