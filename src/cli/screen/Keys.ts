/** Pure: the keys of a full screen. */

/** How the user ends the screen. */
export type End = "quit" | "interrupt"

const keys: Readonly<Record<string, End | number>> = {
  q: "quit",
  Q: "quit",
  "\u0003": "interrupt",
  "\u001b": "quit",
  "\u001b[A": -1,
  "\u001bOA": -1,
  "\u001b[B": 1,
  "\u001bOB": 1,
  k: -1,
  j: 1,
  "\u001b[5~": -10,
  "\u001b[6~": 10,
  " ": 10,
  "\u001b[H": -Infinity,
  g: -Infinity
}

/** An escape sequence, or one character. */
const escape = "\u001b"
const key = new RegExp(`${escape}(?:\\[[0-9;]*[A-Za-z~]|O[A-Z])|[^]`, "gu")

/** The scroll after the keys of one chunk, and the end if one of them ends the screen. A chunk may hold several keys. */
export const press = (scroll: number, chunk: string): { readonly scroll: number; readonly end: End | undefined } => {
  let now = scroll
  for (const [pressed] of chunk.matchAll(key)) {
    const meaning = keys[pressed]
    if (typeof meaning === "string") return { scroll: now, end: meaning }
    if (meaning !== undefined) now = Math.max(0, now + meaning)
  }
  return { scroll: now, end: undefined }
}
