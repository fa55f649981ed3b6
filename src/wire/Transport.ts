/**
 * A byte pipe with a start and an end, which is all that a Link uses of a socket.
 *
 * Three kinds: `fromDuplex` over any Node stream, the faster `LocalSocket` over a socketpair, and `memoryPair` for
 * tests, which needs no turn of the event loop.
 */
import type { Duplex } from "node:stream"

/**
 * The receiver of a Transport. `closed` is called exactly once, last.
 *
 * @since 0.1.0
 * @category backends
 */
export interface TransportHandlers {
  /** Takes bytes: a view that holds only during the call, because the next read uses the same memory. */
  readonly data: (chunk: Uint8Array) => void
  readonly drained: () => void
  readonly closed: (error: Error | undefined) => void
}

/**
 * A byte pipe. Nothing arrives before `start`.
 *
 * @since 0.1.0
 * @category backends
 */
export interface Transport {
  readonly start: (handlers: TransportHandlers) => void
  /**
   * Sends the chunks in order. Returns false if the pipe is congested; `drained` is called when it is free again.
   * Chunks are not copied.
   */
  readonly write: (chunks: ReadonlyArray<Uint8Array>) => boolean
  /** Flushes, then closes. */
  readonly end: () => void
  /** Closes now. Unsent bytes are lost. */
  readonly destroy: (error?: Error) => void
  /** Runs a flush at the end of the current turn, so that the writes of one turn leave together. */
  readonly atTurnEnd: (flush: () => void) => void
  /** Runs a flush after the other events that are due now have been handled. */
  readonly later: (flush: () => void) => void
  /** Bytes that were written and have not left. Absent if none ever wait. */
  readonly buffered?: () => number
  /**
   * The number of calls of `write` that may have reached the peer, at least in part. Absent if each does at once. A
   * peer cannot have read the bytes of a later call.
   */
  readonly begun?: () => number
  /** Reads nothing more until `resume`, so that the peer has to wait. */
  readonly pause?: () => void
  readonly resume?: () => void
}

/**
 * A pipe over a Node stream. The maker of a socket must set `noDelay` on it.
 *
 * @since 0.1.0
 * @category backends
 */
export const fromDuplex = (duplex: Duplex): Transport => over(duplex, (data) => duplex.on("data", data))

/** A pipe over a Node stream. `read` starts reading. */
export const over = (duplex: Duplex, read: (data: TransportHandlers["data"]) => void): Transport => {
  let started = false
  let written = 0
  let begun = 0
  let completed = 0
  // A stream writes waiting chunks together, once its previous write has left.
  const onWritten = () => {
    completed++
    begun = written
  }
  return {
    start(handlers) {
      if (started) throw new Error("a Transport can be started once")
      started = true
      let error: Error | undefined
      duplex.on("error", (cause) => {
        error ??= cause
      })
      read(handlers.data)
      duplex.on("drain", handlers.drained)
      duplex.on("end", () => duplex.end())
      // A stream that was destroyed before may have reported its end already.
      if (duplex.closed) handlers.closed(duplex.errored ?? undefined)
      else duplex.once("close", () => handlers.closed(error ?? duplex.errored ?? undefined))
    },
    write(chunks) {
      if (completed === written++) begun = written
      // A write after the end is an error for a stream, which then loses its unsent bytes.
      if (!duplex.writable) {
        onWritten()
        return true
      }
      const last = chunks.length - 1
      if (last === 0) return duplex.write(chunks[0], onWritten)
      duplex.cork()
      for (let i = 0; i < last; i++) duplex.write(chunks[i])
      const free = duplex.write(chunks[last], onWritten)
      duplex.uncork()
      return free
    },
    end: () => {
      duplex.end()
    },
    destroy: (error) => {
      duplex.destroy(error)
    },
    atTurnEnd: process.nextTick,
    later: setImmediate,
    buffered: () => duplex.writableLength,
    begun: () => begun,
    pause: () => void duplex.pause(),
    resume: () => void duplex.resume()
  }
}

/** Wraps a pipe so that a function is called first at its end. */
export const whenClosed = (transport: Transport, ended: (error: Error | undefined) => void): Transport =>
  startedBy(transport, (handlers) =>
    transport.start({
      ...handlers,
      closed: (error) => {
        ended(error)
        handlers.closed(error)
      }
    })
  )

/** Wraps a pipe with another `start`. */
export const startedBy = (transport: Transport, start: Transport["start"]): Transport => ({
  start,
  write: (chunks) => transport.write(chunks),
  end: () => transport.end(),
  destroy: (error) => transport.destroy(error),
  atTurnEnd: (flush) => transport.atTurnEnd(flush),
  later: (flush) => transport.later(flush),
  buffered: () => transport.buffered?.() ?? 0,
  ...(transport.begun === undefined ? {} : { begun: transport.begun }),
  pause: () => transport.pause?.(),
  resume: () => transport.resume?.()
})

/** An end of a pipe in memory. */
export interface MemoryTransport extends Transport {
  /** Stops delivering the other end's bytes, as a blocked event loop does, or delivers them again. */
  readonly freeze: (frozen: boolean) => void
}

class MemoryEnd implements MemoryTransport {
  private frozen = false
  private paused = false
  private handlers: TransportHandlers | undefined
  private inbox: Array<Uint8Array> = []
  private ended = false
  private closed = false
  private error: Error | undefined
  private told = false
  peer: MemoryEnd | undefined

  start(handlers: TransportHandlers) {
    if (this.handlers !== undefined) throw new Error("a Transport can be started once")
    this.handlers = handlers
    queueMicrotask(this.deliver)
  }

  write(chunks: ReadonlyArray<Uint8Array>) {
    if (this.ended || this.closed) return true
    const peer = this.peer!
    // Copied, as a real socket does, because the sender may change its bytes later.
    for (const chunk of chunks) peer.inbox.push(Buffer.from(chunk))
    queueMicrotask(peer.deliver)
    return true
  }

  end() {
    if (this.ended) return
    this.ended = true
    queueMicrotask(() => this.peer!.finish(undefined))
    queueMicrotask(() => this.finish(undefined))
  }

  destroy(error?: Error) {
    // First, because the other end may have closed before: a socket that is destroyed reads nothing more either.
    this.inbox = []
    if (this.closed) return queueMicrotask(this.deliver)
    this.ended = true
    queueMicrotask(() => this.finish(error))
    queueMicrotask(() => this.peer!.finish(undefined))
  }

  atTurnEnd(flush: () => void) {
    queueMicrotask(flush)
  }

  later(flush: () => void) {
    queueMicrotask(flush)
  }

  private readonly deliver = () => {
    if (this.handlers === undefined || this.frozen) return
    while (this.inbox.length > 0) {
      if (this.paused) return
      const chunk = this.inbox.shift()!
      this.handlers.data(chunk)
      // Overwritten, as the next read into the same memory would do, so that a view that is kept is noticed.
      chunk.fill(0xa5)
    }
    if (this.closed) this.notify()
  }

  pause() {
    this.paused = true
  }

  resume() {
    this.paused = false
    queueMicrotask(this.deliver)
  }

  freeze(frozen: boolean) {
    this.frozen = frozen
    if (!frozen) queueMicrotask(this.deliver)
  }

  private finish(error: Error | undefined) {
    if (this.closed) return
    this.closed = true
    this.ended = true
    this.error = error
    this.deliver()
  }

  private notify() {
    const handlers = this.handlers
    if (handlers === undefined || this.told) return
    this.told = true
    handlers.closed(this.error)
  }
}

/** Two ends of a pipe in memory, by direct calls and microtasks only, so that it works under `TestClock`. */
export const memoryPair = (): readonly [MemoryTransport, MemoryTransport] => {
  const left = new MemoryEnd()
  const right = new MemoryEnd()
  left.peer = right
  right.peer = left
  return [left, right]
}
