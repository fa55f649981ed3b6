/** Log lines of a runner that could not be sent before its end. They are written to stderr, which the parent reads. */
import { builtin } from "../function/Builtin.ts"

let takeUnsent: (() => ReadonlyArray<string>) | undefined

/** Sets the source of unsent lines, which are written when this process exits. */
export const register = (take: () => ReadonlyArray<string>): void => {
  if (takeUnsent === undefined) process.once("exit", write)
  takeUnsent = take
}

/** Writes the unsent lines now: a process that a signal ends emits no `exit` event. */
export const write = (): void => {
  try {
    for (const line of takeUnsent?.() ?? []) builtin("node:fs").writeSync(2, `${line}\n`)
  } catch {
    // stderr is closed
  }
}
