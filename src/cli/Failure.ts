/** The exit status and the message of a command that failed. */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as CliError from "effect/cli/CliError"
import { printable } from "../error/PeerText.ts"
import { CommandFailed } from "./cluster/CommandFailed.ts"

/** Exit status: 1 for a failure, 2 for a wrong command line, 130 for Ctrl-C. */
export const statusOf = (cause: Cause.Cause<unknown>): number => {
  if (Cause.hasInterruptsOnly(cause)) return 130
  const error = Cause.squash(cause)
  if (CliError.isCliError(error)) return error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : 2
  return error instanceof CommandFailed ? error.status : 1
}

/** Prints the message of a failure to standard error, unless the command line has been explained already. */
export const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const error = Cause.squash(cause)
  if (CliError.isCliError(error) || (error instanceof CommandFailed && error.message === "")) return Effect.void
  // The message of an expected error. Any other error is a bug of this program, so its stack is printed.
  const text = Cause.hasDies(cause) ? Cause.pretty(cause) : error instanceof Error ? error.message : String(error)
  return Console.error(printable(`effect-flame: ${text}`))
}
