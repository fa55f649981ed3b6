/**
 * The session that a runner has before its program loads, because its code came over it (`code/bootstrap/main.ts`).
 *
 * A key admits one session, so the program cannot connect again: it takes over the connection of the bootstrap.
 */
import type { Duplex } from "node:stream"

/** Name of the symbol of the global by which the bootstrap hands over its session. */
export const sessionKey = "effect-flame/session"

/** The session of a runner whose code came over it, as `globalThis[Symbol.for(sessionKey)]`. */
export interface HandedSession {
  /** The authenticated connection. Nothing is unread: the parent is silent until Hello. */
  readonly socket: Duplex
  /** Tells the bootstrap that the program uses the connection from now on, so that the bootstrap must not write to it. */
  readonly take: () => void
}

/** The session of this process; undefined if its code did not come from its parent. */
export const handedSession = (): HandedSession | undefined =>
  (globalThis as { [key: symbol]: HandedSession | undefined })[Symbol.for(sessionKey)]
