/** A pipe that can be used before it is connected: writes wait. */
import type { Transport, TransportHandlers } from "./Transport.ts"

class LateTransport implements Transport {
  private readonly abort = new AbortController()
  private inner: Transport | undefined
  private handlers: TransportHandlers | undefined
  private queue: Array<Uint8Array> = []
  private hasEnded = false
  private failure: { readonly error: Error | undefined } | undefined

  constructor(connect: (signal: AbortSignal) => Promise<Transport>) {
    connect(this.abort.signal).then(
      (inner) => this.connected(inner),
      (error: unknown) => this.failed(error instanceof Error ? error : new Error(String(error)))
    )
  }

  start(handlers: TransportHandlers): void {
    if (this.handlers !== undefined) throw new Error("a Transport can be started once")
    this.handlers = handlers
    if (this.inner !== undefined) this.inner.start(handlers)
    else if (this.failure !== undefined) handlers.closed(this.failure.error)
  }

  write(chunks: ReadonlyArray<Uint8Array>): boolean {
    if (this.inner !== undefined) return this.inner.write(chunks)
    if (this.hasEnded || this.failure !== undefined) return true
    this.queue.push(...chunks)
    return false
  }

  end(): void {
    this.hasEnded = true
    this.inner?.end()
  }

  destroy(error?: Error): void {
    if (this.inner !== undefined) return this.inner.destroy(error)
    if (this.failure !== undefined) return
    this.abort.abort()
    process.nextTick(() => this.failed(error))
  }

  readonly atTurnEnd: Transport["atTurnEnd"] = process.nextTick
  readonly later: Transport["later"] = setImmediate

  private connected(inner: Transport): void {
    if (this.failure !== undefined || this.abort.signal.aborted) return inner.destroy()
    this.inner = inner
    if (this.handlers !== undefined) inner.start(this.handlers)
    const { queue } = this
    this.queue = []
    const isFree = queue.length === 0 || inner.write(queue)
    if (this.hasEnded) inner.end()
    // Otherwise the pipe calls `drained` itself.
    else if (isFree) this.handlers?.drained()
  }

  private failed(error: Error | undefined): void {
    if (this.failure !== undefined) return
    this.failure = { error }
    this.queue = []
    this.handlers?.closed(error)
  }
}

/**
 * Makes a pipe that is usable at once, and joins it to the pipe that `connect` finds. Destroying it before aborts
 * `connect`.
 */
export const make = (connect: (signal: AbortSignal) => Promise<Transport>): Transport => new LateTransport(connect)
