/**
 * Sends the status to viewers as server-sent events: `status` at each tick, `event` for each event of a pool.
 *
 * The document is made once for all viewers. Without a viewer nothing is made.
 */
import type { StatusEvent } from "./record/EventText.ts"
import type { RunnerLine } from "./record/LineRing.ts"
import type { Recorder, RecordListener } from "./record/Recorder.ts"
import { tickMillis } from "./record/Tick.ts"

/**
 * Sends a chunk of whole events or lines to a viewer. Returns false if the viewer is too slow and misses the chunk.
 */
export type Send = (chunk: Buffer) => boolean

/** Bytes per second to all viewers together. Larger statuses are not sent at every tick. */
const bytesPerSecond = 1_000_000
/** Events that wait for their turn. Beyond them the oldest are dropped. */
const mostEvents = 200
/** Events that a new viewer gets. */
const pastEvents = 60
/** Milliseconds that an event waits for others: a hundred boots make a thousand events. */
const eventPause = 200

const encode = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

export class StatusFeed implements RecordListener {
  private readonly viewers = new Set<(chunk: Buffer) => void>()
  private readonly followers = new Set<(line: RunnerLine) => void>()
  private readonly recorder: Recorder
  private readonly actions: boolean
  private events: Array<string> = []
  /** The latest events, for viewers to come. */
  private readonly past: Array<string> = []
  private flushing: NodeJS.Timeout | undefined
  private latest: { readonly chunk: Buffer; readonly at: number } | undefined
  /** Ticks at which the status is not sent, because the last one was large. */
  private pause = 0

  constructor(recorder: Recorder, actions: boolean) {
    this.recorder = recorder
    this.actions = actions
    recorder.listeners.add(this)
  }

  close(): void {
    this.recorder.listeners.delete(this)
    clearTimeout(this.flushing)
    this.viewers.clear()
    this.followers.clear()
  }

  /** Viewers at the moment. */
  get viewerCount(): number {
    return this.viewers.size
  }

  /** Adds a viewer, who gets the status at once. The returned function removes it. */
  view(send: (chunk: Buffer) => void): () => void {
    const viewer = (chunk: Buffer) => send(chunk)
    this.viewers.add(viewer)
    const isFresh = this.latest !== undefined && performance.now() - this.latest.at < tickMillis
    viewer(isFresh ? this.latest!.chunk : this.draw())
    if (this.past.length > 0) viewer(Buffer.from(this.past.join("")))
    return () => {
      this.viewers.delete(viewer)
      if (this.viewers.size === 0) this.latest = undefined
    }
  }

  /** Adds a reader of log lines. The returned function removes it. */
  follow(read: (line: RunnerLine) => void): () => void {
    const follower = (line: RunnerLine) => read(line)
    this.followers.add(follower)
    return () => this.followers.delete(follower)
  }

  tick(): void {
    if (this.viewers.size === 0 || --this.pause >= 0) return
    const chunk = this.draw()
    this.pause = Math.floor((chunk.length * this.viewers.size) / bytesPerSecond)
    for (const send of this.viewers) send(chunk)
  }

  event(event: StatusEvent): void {
    const text = encode("event", event)
    this.past.push(text)
    if (this.past.length > pastEvents) this.past.shift()
    if (this.viewers.size === 0) return
    this.events.push(text)
    if (this.events.length > mostEvents) this.events.shift()
    this.flushing ??= setTimeout(() => this.flush(), eventPause).unref()
  }

  line(line: RunnerLine): void {
    for (const read of this.followers) read(line)
  }

  private flush(): void {
    this.flushing = undefined
    const chunk = Buffer.from(this.events.join(""))
    this.events = []
    for (const send of this.viewers) send(chunk)
  }

  private draw(): Buffer {
    const document = this.recorder.document({ actions: this.actions, hasCalls: false })
    const chunk = Buffer.from(encode("status", document))
    this.latest = { chunk, at: performance.now() }
    return chunk
  }
}
