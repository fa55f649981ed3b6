/** The words of a command line, as a shell would split them. */
import * as Effect from "effect/Effect"
import { CommandFailed } from "./cluster/CommandFailed.ts"

const wrong = (message: string) => Effect.fail(new CommandFailed({ status: 2, message: `--command: ${message}` }))

/**
 * Splits a text at spaces outside of quotes. Single quotes keep everything. Double quotes keep everything but escaped quotes
 * and backslashes. Fails for a quote without its end, and for a text without words.
 */
export const parse = (text: string): Effect.Effect<ReadonlyArray<string>, CommandFailed> => {
  const words: Array<string> = []
  let word: string | undefined
  let rest = text
  while (rest !== "") {
    const [all = "", space, single, double, plain, escaped] =
      /^(?:(\s+)|'([^']*)'|"((?:[^"\\]|\\[^])*)"|([^\s'"\\]+)|\\([^]))/.exec(rest) ?? []
    if (all === "") return wrong(`a quote or a backslash has no end in ${text}`)
    rest = rest.slice(all.length)
    if (space === undefined)
      word = (word ?? "") + (single ?? double?.replaceAll(/\\(["\\$`])/g, "$1") ?? plain ?? escaped ?? "")
    else if (word !== undefined) {
      words.push(word)
      word = undefined
    }
  }
  if (word !== undefined) words.push(word)
  return words.length === 0 ? wrong("no word is given") : Effect.succeed(words)
}
