/**
 * A transport that a test drives step by step: the test decides when turns end, what arrives, and when it is congested.
 */
import type { Transport, TransportHandlers } from "../../src/wire/Transport.ts"
import { type Frame, framesOf } from "./kit.ts"

export class ScriptedTransport implements Transport {
  /** Each write, with its chunks joined. */
  readonly writes: Array<Buffer> = []
  /** The answer of `write`. */
  isCongested = false
  isEnded = false
  isDestroyed = false
  private handlers: TransportHandlers | undefined
  private atEnd: Array<() => void> = []
  private afterwards: Array<() => void> = []
  private taken = 0

  start(handlers: TransportHandlers) {
    this.handlers = handlers
  }

  write(chunks: ReadonlyArray<Uint8Array>) {
    if (!this.isEnded && !this.isDestroyed) this.writes.push(Buffer.concat(chunks))
    return !this.isCongested
  }

  end() {
    this.isEnded = true
  }

  destroy() {
    this.isDestroyed = true
  }

  atTurnEnd(flush: () => void) {
    this.atEnd.push(flush)
  }

  later(flush: () => void) {
    this.afterwards.push(flush)
  }

  /** Ends the turn. Returns false if nothing was to be done at its end. */
  turn(): boolean {
    const due = this.atEnd
    this.atEnd = []
    due.forEach((flush) => flush())
    return due.length > 0
  }

  /** Ends the turn and runs what was deferred behind other events. Returns false if nothing was deferred. */
  rest(): boolean {
    const turned = this.turn()
    const due = this.afterwards
    this.afterwards = []
    due.forEach((flush) => flush())
    return due.length > 0 || turned
  }

  /** Ends turns until there is nothing left to do. */
  settle(): void {
    while (this.rest());
  }

  drain(): void {
    this.isCongested = false
    this.handlers?.drained()
  }

  feed(...bytes: ReadonlyArray<Uint8Array>): void {
    this.handlers?.data(Buffer.concat(bytes))
  }

  close(error?: Error): void {
    this.handlers?.closed(error)
  }

  /** The bytes written since the last call. */
  taking(): Buffer {
    const bytes = Buffer.concat(this.writes.slice(this.taken))
    this.taken = this.writes.length
    return bytes
  }

  /** The frames written since the last call. */
  frames(): Array<Frame> {
    return framesOf(this.taking())
  }
}

/** Exchanges the bytes that two ends write, until neither writes any more. */
export const converse = (left: ScriptedTransport, right: ScriptedTransport): void => {
  for (;;) {
    left.settle()
    right.settle()
    const [toRight, toLeft] = [left.taking(), right.taking()]
    if (toRight.length + toLeft.length === 0) return
    if (toRight.length > 0) right.feed(toRight)
    if (toLeft.length > 0) left.feed(toLeft)
  }
}
