/** A transport whose every step a test takes itself: it says when turns end, what arrives, and whether it is congested. */
import type { Transport, TransportHandlers } from "../../src/wire/Transport.ts"
import { type Frame, framesOf } from "./kit.ts"

export class ScriptedTransport implements Transport {
  /** Each write, with its chunks joined. */
  readonly writes: Array<Buffer> = []
  /** What `write` answers. */
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

  /** Ends the turn; false when nothing was to be done at its end. */
  turn(): boolean {
    const due = this.atEnd
    this.atEnd = []
    due.forEach((flush) => flush())
    return due.length > 0
  }

  /** Ends the turn and does what was put off until after other events; false when there was nothing of that. */
  rest(): boolean {
    const turned = this.turn()
    const due = this.afterwards
    this.afterwards = []
    due.forEach((flush) => flush())
    return due.length > 0 || turned
  }

  /** Turns until there is nothing left to do. */
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

  /** What was written since it was last asked. */
  taking(): Buffer {
    const bytes = Buffer.concat(this.writes.slice(this.taken))
    this.taken = this.writes.length
    return bytes
  }

  /** The frames written since it was last asked. */
  frames(): Array<Frame> {
    return framesOf(this.taking())
  }
}

/** Carries what two ends have written to each other, until neither has anything more to say. */
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
