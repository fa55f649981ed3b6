/**
 * Errors that no caller can receive: foreign code, such as the `onExit` observer of a caller's fiber, throws inside a
 * frame of the engine. Rethrown, such an error would end the step, the timer or the session of other calls.
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
