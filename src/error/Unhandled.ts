/**
 * Errors that nobody can receive: what code that is not ours throws inside of our frames, such as the `onExit` observer of
 * a caller's fiber. Thrown on, such an error would end the step, the timer or the session of others.
 */

/** Reports an error as an uncaught exception, in a turn of its own. */
export const report = (error: unknown): void => {
  setImmediate(() => {
    throw error
  })
}

/** Runs foreign code, and reports what it throws. */
export const confine = (foreign: () => void): void => {
  try {
    foreign()
  } catch (error) {
    report(error)
  }
}
