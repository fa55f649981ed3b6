/** Suppresses what a logger writes to stdout and stderr. */

/**
 * Runs a logger while writes to stdout and stderr are dropped. The line goes to the parent, whose own loggers print it.
 * If printed here too, the line would reach the parent's log a second time, as a line of output.
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
