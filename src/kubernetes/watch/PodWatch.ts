/**
 * The one list and watch of a parent's pods: the present state of every runner's pod, and each change as it happens.
 *
 * The watch never gives up. After an end, a break or silence it continues from its resource version. Where the API server
 * has forgotten that version (410), it begins again with a list. Besides, it lists every 5 minutes as a safeguard.
 */
import * as Cause from "effect/Cause"
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
import { uptime } from "../../time/Uptime.ts"
import { Outages } from "./Outages.ts"
import { PodLists, sleepAfter } from "./PodLists.ts"
import { isNewer, type PodChange, PodTable } from "./PodTable.ts"

export interface PodWatch {
  /** The pod of that name as last seen, without `env`, volumes, tolerations and affinity. */
  readonly get: (name: string) => Pod | undefined
  /** All known pods, by name. */
  readonly pods: () => ReadonlyMap<string, Pod>
  /**
   * Calls `listener` with the present state of a pod, if it is known, and then with each change. The returned function
   * ends that. A deletion is reported only when it happens, so a name must be followed before its pod is created.
   */
  readonly follow: (name: string, listener: PodListener) => () => void
  /** Records the answer to a create or get of a pod that the selector matches: the answer may be ahead of the watch. */
  readonly note: (pod: Pod) => void
  /** Reports all pods after every list, until the returned function is called. */
  readonly onRelist: (listener: (pods: ReadonlyMap<string, Pod>) => void) => () => void
  /** Lists now, at most every 5 s, and completes when the list is reported. Retries until the API server answers. */
  readonly relist: Effect.Effect<void>
  readonly counters: Readonly<PodWatchCounters>
  /** Whether the API server has answered since the watch last broke. */
  readonly isFresh: () => boolean
}

export interface PodWatchCounters {
  /** The number of watches after the first one. */
  reconnects: number
  /** The number of lists, the first one included. */
  relists: number
  /** The number of events of all watches, bookmarks included. */
  events: number
}

export interface PodWatchOptions {
  /** The label selector of the pods. */
  readonly selector: string
  /** Is told which lists and watches fail and which are answered, from the first list on. Default: outages are only logged. */
  readonly outages?: Outages
  /** Time between the lists that serve as a safeguard, ± 20 %. Default 5 minutes. */
  readonly relistEvery?: Duration.Input
}

/** Milliseconds between lists. */
const relistEvery = 300_000

/** Milliseconds after which a silent watch is ended: bookmarks come every minute, and the client's own limit is 75 s. */
const silenceLimit = 90_000

/** Milliseconds after which a watch without events counts as working. The next watch then begins after 25 to 50 ms. */
const fineAfter = 500

/** Milliseconds that the watch has to report the deletion of a pod that a list lacks: only the watch has its last state. */
const lastState = 1_000

type Client = (typeof KubeClient)["Service"]

/** How the watch of one connection ended. `expired`: the API server has forgotten its resource version. */
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
  private readonly outages: Outages
  private readonly lists: PodLists
  /** Whether the watch cannot continue from its resource version, so that a list must come first. */
  private isExpired = true
  private cut = Deferred.makeUnsafe<void>()
  private hasComplained = false

  constructor(
    client: Client,
    { outages, selector }: PodWatchOptions,
    scope: Scope.Scope,
    warn: (message: string, cause: unknown) => void
  ) {
    this.client = client
    this.selector = selector
    this.outages = outages ?? new Outages(client.server)
    this.warn = warn
    this.lists = new PodLists(
      Effect.suspend(() => this.listOnce),
      scope,
      (error) => this.failed(error)
    )
    this.followers = new PodFollowers((cause) => warn("a follower of a pod threw", cause))
  }

  /** Takes the first list. A refusal of the API server is final. */
  readonly start: Effect.Effect<void, KubeError> = Effect.suspend(() =>
    Effect.map(this.lists.first, () => {
      this.isExpired = false
    })
  )

  get relist(): Effect.Effect<void> {
    return this.lists.next
  }

  /** Watches until it is interrupted. */
  readonly watch: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    for (let failures = 1; ;) {
      if (this.isExpired) yield* this.relist
      this.isExpired = false
      const [since, events] = [yield* uptime, this.counters.events]
      const outcome = yield* this.watchOnce
      const isFine = this.counters.events > events || (yield* uptime) - since >= fineAfter
      this.counters.reconnects++
      yield* this.judge(outcome)
      failures = isFine ? 1 : failures + 1
      yield* sleepAfter(failures)
    }
  })

  private get watchOnce(): Effect.Effect<Outcome> {
    this.cut = Deferred.makeUnsafe()
    let heardAt = 0
    const read = Stream.runForEachArray(
      this.client.watchPods(this.selector, this.table.version, this.outages.answered),
      (events) =>
        Effect.flatMap(uptime, (now) => {
          heardAt = now
          for (const event of events) this.take(event)
          return this.outages.answered
        })
    )
    const silent = Effect.gen(function* () {
      heardAt = yield* uptime
      for (;;) {
        const left = heardAt + silenceLimit - (yield* uptime)
        if (left <= 0) return "silent" as const
        yield* Effect.sleep(left)
      }
    })
    const outcome = Effect.match(read, { onFailure: (error): Outcome => error, onSuccess: (): Outcome => "ended" })
    return Effect.raceAllFirst([outcome, silent, Effect.as(Deferred.await(this.cut), "cut" as const)]).pipe(
      // An event that cannot be parsed must not stop the watching for ever. A list follows, which has the missed change.
      Effect.catchCauseIf(
        (cause) => Cause.hasDies(cause),
        (cause) => {
          this.warn(
            "a watch of pods reported an event that cannot be parsed; the pods are listed instead",
            Cause.squash(cause)
          )
          return Effect.succeed("expired" as const)
        }
      )
    )
  }

  private take(event: WatchEvent<Pod>): void {
    // An error inside an answer with code 200, most often 410 Expired. Any of them ends the watch, as in client-go.
    if (event.type === "ERROR") {
      this.isExpired = true
      this.isFresh = false
      Deferred.doneUnsafe(this.cut, Effect.void)
      return
    }
    this.counters.events++
    this.heard()
    this.followers.report(this.table.apply(event))
  }

  private heard(): void {
    this.isFresh = true
    this.hasComplained = false
  }

  private judge(outcome: Outcome): Effect.Effect<void> {
    if (outcome === "ended" || outcome === "cut") return Effect.void
    this.isFresh = false
    if (outcome === "silent") return this.outages.failed(`its watch was silent for ${silenceLimit / 1_000} s`)
    if (outcome !== "expired" && outcome.status !== 410) return this.failed(outcome)
    this.isExpired = true
    return Effect.void
  }

  /**
   * Logs a refusal once, until the API server accepts a watch or a list again. Reports any other failure as an outage.
   */
  private failed(error: KubeError): Effect.Effect<void> {
    if (error.retryable) return this.outages.failed(error.detail)
    if (this.hasComplained) return Effect.void
    this.hasComplained = true
    this.warn("the pods of runners cannot be watched; trying again", error)
    return Effect.void
  }

  private get listOnce(): Effect.Effect<void, KubeError> {
    return Effect.gen({ self: this }, function* () {
      const known = this.table.version
      const isBehind = (list: List<Pod>) => isNewer(known, list.metadata.resourceVersion)
      const cached = yield* this.client.listPods(this.selector)
      // The cache of one of several API servers may be older than the answers of another.
      const list = isBehind(cached) ? yield* this.client.listPods(this.selector, { exact: true }) : cached
      if (isBehind(list)) yield* this.beginAnew(list)
      else yield* this.takeList(list)
      this.counters.relists++
      this.heard()
      yield* this.outages.answered
      for (const listener of this.relistListeners) this.followers.safely(() => listener(this.table.pods))
    })
  }

  private takeList(list: List<Pod>): Effect.Effect<void> {
    this.followers.report(this.table.merge(list))
    const settle = Effect.sync(() => this.followers.report(this.table.settle(list)))
    const isAwaited = !this.isExpired && this.table.absent(list).length > 0
    return isAwaited ? Effect.delay(settle, lastState) : settle
  }

  /** Takes a list that is older than the known pods although it is exact: the cluster was restored from a backup. */
  private beginAnew(list: List<Pod>): Effect.Effect<void> {
    return Effect.sync(() => {
      this.warn(
        "the history of the API server began again, as after a restore from a backup; all pods are taken from its list",
        undefined
      )
      this.followers.report(this.table.reset(list))
      Deferred.doneUnsafe(this.cut, Effect.void)
    })
  }
}

const periodically = (watching: Watching, millis: number): Effect.Effect<never> =>
  Effect.forever(
    Effect.flatMap(Random.nextBetween(0.8 * millis, 1.2 * millis), (pause) => Effect.delay(watching.relist, pause))
  )

/** Starts to watch, until the scope closes. Fails if the first list is refused. Waits while there is no answer. */
export const make = Effect.fnUntraced(function* (options: PodWatchOptions) {
  const client = yield* KubeClient
  const scope = yield* Effect.scope
  const context = yield* Effect.context<never>()
  const warn = (message: string, cause: unknown) => {
    Effect.runForkWith(context)(cause === undefined ? Effect.logWarning(message) : Effect.logWarning(message, cause))
  }
  const watching = new Watching(client, options, scope, warn)
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
    note: (pod) => followers.report(table.note(pod)),
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
