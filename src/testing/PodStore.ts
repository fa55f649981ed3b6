/** The pods of `KubeMock`: their history by resource version, and its watches. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { List, Pod, WatchEvent } from "../kubernetes/object/KubeObjects.ts"
import type { KubeError } from "../kubernetes/api/KubeError.ts"
import { matches } from "./Selector.ts"

type Line = Queue.Queue<WatchEvent<Pod>, KubeError | Cause.Done>

/** As at a real server: a bookmark every minute, and an end after 270 s. */
const bookmarkEvery = "1 minute"
const watchFor = "270 seconds"

interface Change {
  readonly version: number
  readonly event: WatchEvent<Pod> & { readonly object: Pod }
}

/** The pods of one namespace. */
export class PodStore {
  private version = 1
  /** The history before this version is forgotten. */
  private oldest = 0
  private uids = 0
  private readonly pods = new Map<string, Pod>()
  private history: Array<Change> = []
  private readonly watchers = new Map<Line, string>()

  get(name: string): Pod | undefined {
    return this.pods.get(name)
  }

  nextUid(): string {
    return `00000000-0000-4000-8000-${`${++this.uids}`.padStart(12, "0")}`
  }

  put(pod: Pod): Pod {
    const name = pod.metadata.name ?? ""
    const type = this.pods.has(name) ? "MODIFIED" : "ADDED"
    const stored = this.record(type, pod)
    this.pods.set(name, stored)
    return stored
  }

  remove(name: string): void {
    const pod = this.pods.get(name)
    if (pod === undefined) return
    this.pods.delete(name)
    this.record("DELETED", pod)
  }

  list(selector: string): List<Pod> {
    const items = [...this.pods.values()].filter(({ metadata }) => matches(selector, metadata.labels))
    return { metadata: { resourceVersion: `${this.version}` }, items }
  }

  watch(selector: string, from: string): Stream.Stream<WatchEvent<Pod>, KubeError> {
    return Stream.callback<WatchEvent<Pod>, KubeError>(
      Effect.fnUntraced({ self: this }, function* (line) {
        yield* Effect.addFinalizer(() => Effect.sync(() => void this.watchers.delete(line)))
        this.watchers.set(line, selector)
        // Version 0 means all present pods, as if they were just added.
        const since = from === "0" || from === "" ? undefined : Number(from)
        if (since !== undefined && since < this.oldest) return this.expire(line)
        const past =
          since === undefined
            ? this.list(selector).items.map((object) => ({ type: "ADDED", object }) as const)
            : this.history.filter(({ version }) => version > since).map(({ event }) => event)
        for (const event of past) {
          if (matches(selector, event.object.metadata.labels)) Queue.offerUnsafe(line, event)
        }
        const bookmark = Effect.sync(() => {
          const metadata = { resourceVersion: `${this.version}` }
          Queue.offerUnsafe(line, { type: "BOOKMARK", object: { metadata } })
        })
        yield* Effect.forkScoped(Effect.forever(Effect.delay(bookmark, bookmarkEvery)))
        yield* Effect.forkScoped(
          Effect.delay(
            Effect.sync(() => this.close(line, undefined)),
            watchFor
          )
        )
      })
    )
  }

  /** Ends all watches that are open. */
  cut(error: KubeError | undefined): void {
    for (const line of this.watchers.keys()) this.close(line, error)
  }

  /** Forgets the history. Open watches end with 410. */
  compact(): void {
    // Also for a watch that has received everything: its version is older than the oldest that is kept.
    this.oldest = ++this.version
    this.history = []
    for (const line of this.watchers.keys()) this.expire(line)
  }

  private expire(line: Line): void {
    const message = `too old resource version (${this.oldest})`
    Queue.offerUnsafe(line, { type: "ERROR", object: { code: 410, reason: "Expired", message } })
    this.close(line, undefined)
  }

  private close(line: Line, error: KubeError | undefined): void {
    this.watchers.delete(line)
    if (error === undefined) Queue.endUnsafe(line)
    else Queue.failCauseUnsafe(line, Cause.fail(error))
  }

  private record(type: "ADDED" | "MODIFIED" | "DELETED", pod: Pod): Pod {
    const version = ++this.version
    const object: Pod = { ...pod, metadata: { ...pod.metadata, resourceVersion: `${version}` } }
    const event = { type, object } as const
    this.history.push({ version, event })
    for (const [line, selector] of this.watchers) {
      if (matches(selector, object.metadata.labels)) Queue.offerUnsafe(line, event)
    }
    return object
  }
}
