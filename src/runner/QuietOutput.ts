/** Keeps what a logger writes to stdout and stderr from the output of a runner. */

/**
 * Runs a logger while nothing can be written to stdout or stderr. The line goes to the parent, whose own loggers print it:
 * printed here too, it would come to the parent's log a second time, as a line of output.
 */
export const quietly = (log: () => void): void => {
  const { stderr, stdout } = process
  const writes = [stdout.write, stderr.write] as const
  stdout.write = stderr.write = () => true
  try {
    log()
  } finally {
    stdout.write = writes[0]
    stderr.write = writes[1]
  }
}
