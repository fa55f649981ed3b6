/** The pipe of a runner, which the simulation slows down, and into which it injects bytes. */
import type { Transport, TransportHandlers } from "../../src/wire/Transport.ts"
import type { VirtualTime } from "./VirtualTime.ts"

/** The state of one direction of a pipe. */
interface Way {
  /** The arrival time of the last bytes in transit. */
  until: number
  /** The number of deliveries in transit. */
  under: number
}

export class SlowPipe implements Transport {
  /** The delay of bytes in each direction, in milliseconds. Default 0. */
  latency = 0
  private readonly inner: Transport
  private readonly time: VirtualTime
  private handlers: TransportHandlers | undefined
  /** The directions. Later bytes never overtake earlier ones. */
  private readonly out: Way = { until: 0, under: 0 }
  private readonly in: Way = { until: 0, under: 0 }
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
    if (this.latency === 0 && this.out.under === 0) return this.inner.write(chunks)
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
    this.send(this.in, deliver)
  }

  private outwards(deliver: () => void): void {
    this.send(this.out, deliver)
  }

  private send(way: Way, deliver: () => void): void {
    if (this.latency === 0 && way.under === 0) return deliver()
    way.until = Math.max(way.until, this.time.now + this.latency)
    way.under++
    this.time.after(way.until - this.time.now, () => {
      way.under--
      deliver()
    })
  }
}
