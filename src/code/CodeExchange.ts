/**
 * The exchange by which a runner gets its code, on the session's own connection and before Hello:
 *
 *   runner: AskCode {hash, node}
 *     ──▶ parent: CodeHead {size, sent}, then each CodePart as far as CodeCredit of the runner allows
 *     ──▶ runner: CodeKept
 *
 * Both halves import this module; the half in the bootstrap must not load Effect.
 */

/** The question of a runner. */
export interface AskCode {
  /** SHA-256 of the pack, in hex, from the command line of the runner. */
  readonly hash: string
  /** Version of Node of the runner. */
  readonly node: string
}

/** The parent's answer, before the bytes. Sizes in bytes. */
export interface CodeHead {
  /** Size of the pack. */
  readonly size: number
  /** Size of the bytes that follow: the pack, compressed by Zstandard. */
  readonly sent: number
}

/** Bytes that may be on their way to a runner. A runner grants as many again as it has read. */
export const creditWindow = 1024 * 1024
