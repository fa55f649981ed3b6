/** The end of a command with an exit status other than 0. */
import * as Schema from "effect/Schema"

/** A command that failed. `message` is printed to standard error unless it is empty. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  /** 1: a failure. 2: the command line itself is wrong. */
  status: Schema.Literals([1, 2]),
  message: Schema.String
}) {}

/** The failure of a command that has already printed its message. */
export const printed = new CommandFailed({ status: 1, message: "" })
