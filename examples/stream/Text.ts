/** Generates the text of the example: the same words in every run. */
import { once } from "node:events"
import { createWriteStream } from "node:fs"

const words = "the flame goes out where nobody waits and a runner that has no work leaves no smoke".split(" ")

/** Writes `lines` lines. Resolves with the number of words. */
export const writeText = async (path: string, lines: number): Promise<number> => {
  const file = createWriteStream(path)
  let state = 1
  let total = 0
  for (let i = 0; i < lines; i++) {
    const line: Array<string> = []
    for (let n = (i % 12) + 1; n > 0; n--) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      // The square makes the first words the most frequent.
      line.push(words[Math.floor((state / 2 ** 32) ** 2 * words.length)]!)
    }
    total += line.length
    if (!file.write(`${line.join(" ")}\n`)) await once(file, "drain")
  }
  file.end()
  await once(file, "close")
  return total
}
