/**
 * The latest failures of a pool. Failures of one kind, function and tag share an entry that counts them, so that a function
 * that fails a thousand times a second hides no other failure.
 */
import { printable, printableLine } from "../../error/PeerText.ts"
import { limits, type PoolDocument } from "./StatusDocument.ts"

type Entry = PoolDocument["failures"][number]

export interface Failure {
  readonly kind: Entry["kind"]
  readonly tag: string
  /** Called only if the message is kept, because the message of an error may be long. */
  readonly message: () => string
  readonly function?: string | undefined
  readonly runner?: string | undefined
}

/** Milliseconds in which failures of one entry are counted without a new message. */
const patience = 100

export class FailureList {
  /** The entries, latest occurrence last. Occurrences within `patience` of the one before do not move an entry. */
  private readonly entries = new Map<string, { -readonly [K in keyof Entry]: Entry[K] }>()

  add(failure: Failure, at: number): void {
    const key = `${failure.kind} ${failure.function ?? ""} ${failure.tag}`
    const known = this.entries.get(key)
    if (known !== undefined) {
      known.count++
      if (at - known.at < patience) return
      this.entries.delete(key)
    }
    this.entries.set(key, {
      at,
      first: known?.first ?? at,
      count: known?.count ?? 1,
      kind: failure.kind,
      tag: printableLine(failure.tag, 100),
      message: printable(failure.message(), limits.message),
      function: failure.function === undefined ? undefined : printableLine(failure.function, limits.message),
      runner: failure.runner
    })
    if (this.entries.size > limits.failures) {
      for (const oldest of this.entries.keys()) return void this.entries.delete(oldest)
    }
  }

  /** The failures, latest first. */
  read(): ReadonlyArray<Entry> {
    return Array.from(this.entries.values(), (entry) => ({ ...entry })).toReversed()
  }
}
