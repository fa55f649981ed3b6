/**
 * Pure: a check of `doctor`: its status, its line, and the fix that makes the check pass. `DoctorCommand.ts` lists all
 * checks.
 */

/**
 * `fail`: the first call would fail. `warn`: calls work, and something is missing. `unknown`: this user lacks the
 * right to look, or the object to look at was not given.
 */
export type Status = "ok" | "warn" | "fail" | "unknown"

export interface Check {
  /** A name for scripts, such as `rights.pods`. */
  readonly name: string
  readonly status: Status
  /** The finding, in one line. */
  readonly line: string
  /** The change that makes the check pass: a command, or a sentence. */
  readonly fix?: string
  /** A manifest that makes the check pass when it is applied with kubectl. */
  readonly manifest?: string
}

/** A way to mend what was found. */
export type Fix = Pick<Check, "fix" | "manifest">

export const ok = (name: string, line: string): Check => ({ name, status: "ok", line })
export const warn = (name: string, line: string, fix: Fix = {}): Check => ({ name, status: "warn", line, ...fix })
export const fail = (name: string, line: string, fix: Fix = {}): Check => ({ name, status: "fail", line, ...fix })
export const unknown = (name: string, line: string, fix: Fix = {}): Check => ({ name, status: "unknown", line, ...fix })

/** A patch of an object, as a command. */
export const patch = (kind: string, name: string, namespace: string, change: unknown): string =>
  `kubectl patch ${kind} ${name} -n ${namespace} --type merge -p '${JSON.stringify(change)}'`

/** The fix of an image that cannot be pulled. */
export const imageFix = "push the image, correct its name, or give the pull secrets of its registry (imagePullSecrets)"
