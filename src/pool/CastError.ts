/** What a cast failed with, in a word: an error of an app may be anything, and must not fail the log line about it. */
export const describe = (error: unknown): string => {
  try {
    return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)
  } catch {
    return "something that cannot be shown"
  }
}
