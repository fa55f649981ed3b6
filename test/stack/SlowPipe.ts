/** A pipe of a runner that the simulation slows down, and into which it puts bytes that nobody has sent. */
import type { Transport, TransportHandlers } from "../../src/wire/Transport.ts"
import type { VirtualTime } from "./VirtualTime.ts"

export class SlowPipe implements Transport {
  /** Milliseconds that bytes take on their way, in each direction. Default 0. */
  latency = 0
  private readonly inner: Transport
  private readonly time: VirtualTime
  private handlers: TransportHandlers | undefined
  /** Until when the bytes before are on their way: later ones never overtake them. */
  private outUntil = 0
  private inUntil = 0
  private isClosed = false

  constructor(inner: Transport, time: VirtualTime) {
    this.inner = inner
    this.time = time
  }

  start(handlers: TransportHandlers): void {
    this.handlers = handlers
    this.inner.start({
      data: (chunk) => {
        const copy = Uint8Array.from(chunk)
        this.inwards(() => handlers.data(copy))
      },
      drained: handlers.drained,
      closed: (error) => {
        this.isClosed = true
        this.inwards(() => handlers.closed(error))
      }
    })
  }

  write(chunks: ReadonlyArray<Uint8Array>): boolean {
    if (this.latency === 0 && this.outUntil <= this.time.now) return this.inner.write(chunks)
    const copies = chunks.map((chunk) => Uint8Array.from(chunk))
    this.outwards(() => void this.inner.write(copies))
    return true
  }

  end(): void {
    this.outwards(() => this.inner.end())
  }

  destroy(error?: Error): void {
    this.inner.destroy(error)
  }

  atTurnEnd(flush: () => void): void {
    this.inner.atTurnEnd(flush)
  }

  later(flush: () => void): void {
    this.inner.later(flush)
  }

  /** Delivers bytes to the parent as if the runner had sent them. */
  inject(bytes: Uint8Array): void {
    if (!this.isClosed) this.inwards(() => this.handlers?.data(bytes))
  }

  private inwards(deliver: () => void): void {
    this.inUntil = Math.max(this.inUntil, this.time.now + this.latency)
    if (this.inUntil <= this.time.now) deliver()
    else this.time.after(this.inUntil - this.time.now, deliver)
  }

  private outwards(deliver: () => void): void {
    this.outUntil = Math.max(this.outUntil, this.time.now + this.latency)
    if (this.outUntil <= this.time.now) deliver()
    else this.time.after(this.outUntil - this.time.now, deliver)
  }
}
