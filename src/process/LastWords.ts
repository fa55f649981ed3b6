/** What a runner that ends had to say and could not send: goes to stderr, whose last lines its parent always gets. */
import { builtin } from "../function/Builtin.ts"

let unsent: (() => ReadonlyArray<string>) | undefined

/** Says at the end of this process what is unsent by then. */
export const keep = (take: () => ReadonlyArray<string>): void => {
  if (unsent === undefined) process.once("exit", say)
  unsent = take
}

/** Says it now: for an end that no `exit` event comes before. */
export const say = (): void => {
  try {
    for (const line of unsent?.() ?? []) builtin("node:fs").writeSync(2, `${line}\n`)
  } catch {
    // nobody reads
  }
}
