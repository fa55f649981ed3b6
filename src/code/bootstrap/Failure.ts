/**
 * Failures of a boot before the program serves, in the form in which the parent reads them: the fields of a `BootFailure`.
 */
import type * as Fs from "node:fs"
import { builtin } from "../../function/Builtin.ts"

/** A cause of `BootFailed`, by its tag. */
export interface Failure {
  readonly _tag: string
  readonly [field: string]: unknown
}

/** Ends the boot with a cause. */
export class BootError extends Error {
  readonly failure: Failure

  constructor(failure: Failure) {
    super(JSON.stringify(failure))
    this.failure = failure
  }
}

/** The failure of a boot that has no session yet. */
export const neverConnected = (hint: string): BootError =>
  new BootError({ _tag: "NeverConnected", phase: "started", hint, after: Math.round(process.uptime() * 1_000) })

/**
 * The file of a container's termination message, and the prefix of a report there. The same as in `process/Role.ts`.
 */
const terminationLog = "/dev/termination-log"
const reportPrefix = "effect-flame:"

/** Writes the cause to stderr, and to the file that the parent reads if there is no session. */
export const report = (failure: Failure, file: string | undefined): void => {
  // An old Node has no `getBuiltinModule`.
  const fs = builtin === undefined ? (require("node:fs") as typeof Fs) : builtin("node:fs")
  const path = file !== undefined && file !== "" ? file : terminationLog
  try {
    fs.writeSync(2, `effect-flame: this runner ends: ${JSON.stringify(failure)}\n`)
    if (path === file || fs.existsSync(path)) {
      fs.writeFileSync(path, (reportPrefix + JSON.stringify(failure)).slice(0, 4_096))
    }
  } catch {
    // Nothing reads the file.
  }
}
