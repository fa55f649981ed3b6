/**
 * The texts that a message repeats: from the second time on, only the index of the text is written.
 *
 * Rows repeat texts: hosts, levels, keys. The sender looks up a text in a small table, in which a newer text replaces
 * an older one. The receiver only counts: each text that may be repeated gets the next index, from 1.
 */

/** Texts of other lengths are not shared, in UTF-16 units: an index saves nothing there, or hashing costs too much. */
const shortest = 3
const longest = 256

/** Whether both sides give the text an index. */
export const isShared = (length: number): boolean => length >= shortest && length <= longest

const slots = 256

/** The texts of the message that is being written. */
export class SentTexts {
  private readonly texts: Array<string | undefined> = Array.from({ length: slots })
  private readonly indexes = new Uint32Array(slots)
  private count = 0

  /** The index of a text that the message has already. 0 for a new text, which gets an index. */
  indexOf(text: string): number {
    const slot = slotOf(text)
    if (this.texts[slot] === text) return this.indexes[slot]!
    this.texts[slot] = text
    this.indexes[slot] = ++this.count
    return 0
  }

  /** Forgets the texts of the message: a text may keep a larger text alive from which it was cut. */
  clear(): void {
    if (this.count === 0) return
    this.count = 0
    this.texts.fill(undefined)
  }
}

/** A hash of up to 32 of its characters: texts that repeat may differ in a single one, such as the names of hosts. */
const slotOf = (text: string): number => {
  const { length } = text
  const step = 1 + ((length - 1) >> 5)
  let hash = length
  for (let i = length - 1; i >= 0; i -= step) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return (hash ^ (hash >>> 8)) & (slots - 1)
}
