/**
 * The one list and watch of a parent's pods: what every runner's pod is right now, told as it changes.
 *
 * It never gives up. A watch that ends, breaks or falls silent goes on where it was; one that cannot, because the server
 * forgot that place, begins anew with a list. Nothing is polled but a list every five minutes, for want of trust.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { List, Pod, WatchEvent } from "../object/KubeObjects.ts"
import { KubeClient } from "../api/KubeClient.ts"
import type { KubeError } from "../api/KubeError.ts"
import { type PodListener, PodFollowers } from "./PodFollowers.ts"
import { firstPause, longerPause, PodLists, sleepPause } from "./PodLists.ts"
import { isNewer, type PodChange, PodTable } from "./PodTable.ts"

export interface PodWatch {
  /** The pod of that name as far as known, without `env`, volumes, tolerations and affinity. */
  readonly get: (name: string) => Pod | undefined
  /** All pods that are known, by name. */
  readonly pods: () => ReadonlyMap<string, Pod>
  /**
   * Tells of a pod's changes, and its present state at once if it is known; the answer ends that. An end is told once.
   * Follow a name before its pod is created: who comes after the end hears nothing.
   */
  readonly follow: (name: string, listener: PodListener) => () => void
  /** Takes the answer to a create or get of a pod that the selector finds, which may be ahead of the watch. */
  readonly note: (pod: Pod) => void
  /** Tells of all pods after every list. */
  readonly onRelist: (listener: (pods: ReadonlyMap<string, Pod>) => void) => () => void
  /** Lists now, at most every 5 s; done when the list was told. Never fails: it goes on until the API server answers. */
  readonly relist: Effect.Effect<void>
  readonly counters: Readonly<PodWatchCounters>
  /** Whether the API server was heard of since the watch last broke. */
  readonly isFresh: () => boolean
}

export interface PodWatchCounters {
  /** Watches that were begun after the first. */
  reconnects: number
  /** Lists that were taken, the first included. */
  relists: number
  /** Events of the watch, bookmarks included. */
  events: number
}

export interface PodWatchOptions {
  /** The label selector that finds the pods. */
  readonly selector: string
  /** How often to list although nothing hints at a gap, ± 20 %. Default 5 minutes. */
  readonly relistEvery?: Duration.Input
}

/** All in milliseconds. */
const relistEvery = 300_000
/** Bookmarks come every minute; the client's own limit is 75 s. */
const silenceLimit = 90_000
/** How long the watch may take to tell of the end of a pod that a list lacks, because only the watch has its last state. */
const lastWords = 1_000

type Client = (typeof KubeClient)["Service"]

/** What the watch of one connection came to. */
type Outcome = "ended" | "silent" | "cut" | "expired" | KubeError

class Watching {
  readonly table = new PodTable()
  readonly followers: PodFollowers
  readonly relistListeners = new Set<(pods: ReadonlyMap<string, Pod>) => void>()
  readonly counters: PodWatchCounters = { reconnects: 0, relists: 0, events: 0 }
  isFresh = false
  private readonly client: Client
  private readonly selector: string
  private readonly warn: (message: string, cause: unknown) => void
  private readonly lists: PodLists
  /** Whether the watch cannot go on from where it was, so that it has nothing more to tell. */
  private isExpired = true
  private cut = Deferred.makeUnsafe<void>()
  private hasComplained = false

  constructor(client: Client, selector: string, scope: Scope.Scope, warn: (message: string, cause: unknown) => void) {
    this.client = client
    this.selector = selector
    this.warn = warn
    this.lists = new PodLists(
      Effect.suspend(() => this.listOnce),
      scope,
      (error) => this.complain(error)
    )
    this.followers = new PodFollowers((cause) => warn("a listener of a pod threw", cause))
  }

  /** The first list; where the API server says no, that is final. */
  readonly start: Effect.Effect<void, KubeError> = Effect.suspend(() =>
    Effect.map(this.lists.first, () => {
      this.isExpired = false
    })
  )

  get relist(): Effect.Effect<void> {
    return this.lists.next
  }

  /** Watches forever. */
  readonly watch: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    let pause = firstPause
    for (;;) {
      if (this.isExpired) yield* this.relist
      this.isExpired = false
      const [since, events] = [yield* Clock.currentTimeMillis, this.counters.events]
      const outcome = yield* this.watchOnce
      const isFine = this.counters.events > events || (yield* Clock.currentTimeMillis) - since >= 1_000
      this.counters.reconnects++
      this.judge(outcome)
      pause = isFine ? firstPause : longerPause(pause)
      yield* sleepPause(pause)
    }
  })

  private get watchOnce(): Effect.Effect<Outcome> {
    this.cut = Deferred.makeUnsafe()
    let heardAt = 0
    const read = Stream.runForEachArray(this.client.watchPods(this.selector, this.table.version), (events) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        heardAt = now
        for (const event of events) this.take(event)
      })
    )
    const silent = Effect.gen(function* () {
      heardAt = yield* Clock.currentTimeMillis
      for (;;) {
        const left = heardAt + silenceLimit - (yield* Clock.currentTimeMillis)
        if (left <= 0) return "silent" as const
        yield* Effect.sleep(left)
      }
    })
    const outcome = Effect.match(read, { onFailure: (error): Outcome => error, onSuccess: (): Outcome => "ended" })
    return Effect.raceAllFirst([outcome, silent, Effect.as(Deferred.await(this.cut), "cut" as const)]).pipe(
      // what cannot be understood must not end the watch: a list tells what it would have told
      Effect.catchCauseIf(
        (cause) => Cause.hasDies(cause),
        (cause) => {
          this.warn("a watch of pods told what cannot be understood", Cause.squash(cause))
          return Effect.succeed("expired" as const)
        }
      )
    )
  }

  private take(event: WatchEvent<Pod>): void {
    // comes inside an answer with code 200, most often 410 Expired; as other readers do, begin anew whatever it is
    if (event.type === "ERROR") {
      this.isExpired = true
      this.isFresh = false
      Deferred.doneUnsafe(this.cut, Effect.void)
      return
    }
    this.counters.events++
    this.heard()
    this.followers.tell(this.table.apply(event))
  }

  private heard(): void {
    this.isFresh = true
    this.hasComplained = false
  }

  private judge(outcome: Outcome): void {
    if (outcome === "ended" || outcome === "cut") return
    this.isFresh = false
    if (outcome === "silent") return
    if (outcome === "expired" || outcome.status === 410) this.isExpired = true
    else this.complain(outcome)
  }

  /** Says once per outage what time alone will not mend. */
  private complain(error: KubeError): void {
    if (error.retryable || this.hasComplained) return
    this.hasComplained = true
    this.warn("runners' pods cannot be watched, which is tried again", error)
  }

  private get listOnce(): Effect.Effect<void, KubeError> {
    return Effect.gen({ self: this }, function* () {
      const known = this.table.version
      const isBehind = (list: List<Pod>) => isNewer(known, list.metadata.resourceVersion)
      const cached = yield* this.client.listPods(this.selector)
      // the cache of one of several API servers may lag behind what another one told
      const list = isBehind(cached) ? yield* this.client.listPods(this.selector, { exact: true }) : cached
      if (isBehind(list)) yield* this.beginAnew(list)
      else yield* this.takeList(list)
      this.counters.relists++
      this.heard()
      for (const listener of this.relistListeners) this.followers.safely(() => listener(this.table.pods))
    })
  }

  private takeList(list: List<Pod>): Effect.Effect<void> {
    this.followers.tell(this.table.merge(list))
    const settle = Effect.sync(() => this.followers.tell(this.table.settle(list)))
    const isAwaited = !this.isExpired && this.table.absent(list).length > 0
    return isAwaited ? Effect.delay(settle, lastWords) : settle
  }

  /** Even the exact list is older than what was told: the cluster was restored from a backup. */
  private beginAnew(list: List<Pod>): Effect.Effect<void> {
    return Effect.sync(() => {
      this.warn("the API server's history began anew", undefined)
      this.followers.tell(this.table.reset(list))
      Deferred.doneUnsafe(this.cut, Effect.void)
    })
  }
}

const periodically = (watching: Watching, millis: number): Effect.Effect<never> =>
  Effect.forever(
    Effect.flatMap(Random.nextBetween(0.8 * millis, 1.2 * millis), (pause) => Effect.delay(watching.relist, pause))
  )

/** Starts watching; fails where the first list is refused, waits while there is no answer. */
export const make = Effect.fnUntraced(function* (options: PodWatchOptions) {
  const client = yield* KubeClient
  const scope = yield* Effect.scope
  const context = yield* Effect.context<never>()
  const warn = (message: string, cause: unknown) => {
    Effect.runForkWith(context)(cause === undefined ? Effect.logWarning(message) : Effect.logWarning(message, cause))
  }
  const watching = new Watching(client, options.selector, scope, warn)
  yield* watching.start
  yield* Effect.forkIn(watching.watch, scope)
  const every = options.relistEvery === undefined ? relistEvery : Duration.toMillis(options.relistEvery)
  yield* Effect.forkIn(periodically(watching, every), scope)
  return watchOf(watching)
})

const watchOf = (watching: Watching): PodWatch => {
  const { counters, followers, relist, relistListeners, table } = watching
  return {
    get: (name) => table.pods.get(name),
    pods: () => table.pods,
    follow: (name, listener) => {
      const pod = table.pods.get(name)
      const unfollow = followers.add(name, listener)
      if (pod !== undefined) followers.safely(() => listener({ pod, gone: false }))
      return unfollow
    },
    note: (pod) => followers.tell(table.note(pod)),
    onRelist: (listener) => {
      relistListeners.add(listener)
      return () => {
        relistListeners.delete(listener)
      }
    },
    relist,
    counters,
    isFresh: () => watching.isFresh
  }
}

export type { PodListener, PodChange }
