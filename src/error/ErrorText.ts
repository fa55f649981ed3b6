/** The words for an error of an app, which may be anything, also an object whose properties throw. */

/** The tag or the class of an error; `Error` if it has neither. */
export const tagOf = (error: unknown): string => {
  try {
    if (typeof error === "object" && error !== null && "_tag" in error) return String(error._tag)
    return error instanceof Error ? error.name : typeof error === "string" ? "Error" : typeof error
  } catch {
    return "Error"
  }
}

/** An error in a line: its class and message, else its tag, else the value. */
export const describeError = (error: unknown): string => {
  try {
    if (error instanceof Error) return `${error.name}: ${error.message}`
    return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)
  } catch {
    return "something that cannot be shown"
  }
}
