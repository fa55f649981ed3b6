/**
 * Pods that this parent has given up: deleted now, and again whenever they show up, until the watch reports them gone.
 *
 * A create request whose answer was lost may make a pod minutes later, and a delete request may not reach the API server.
 * Neither may leave a pod behind, nor delay the removal of the runner.
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Pod } from "../object/KubeObjects.ts"
import type { KubeClient } from "../api/KubeClient.ts"
import type { PodWatch } from "../watch/PodWatch.ts"

/** Milliseconds that a name is remembered after the last attempt to delete its pod. */
const memory = 5 * 60_000

/** Milliseconds from a failed attempt to the next. A timer is needed, because a broken watch reports no pod to delete. */
const again = 15_000

interface Grave {
  readonly name: string
  uid: string | undefined
  readonly gracePeriodSeconds: number | undefined
  attempt: Fiber.Fiber<boolean> | undefined
  /** Whether the API server has accepted the last delete request. */
  accepted: boolean
  /** The uid in the last delete request that was accepted. */
  taken: string | undefined
  /** Whether a timer will start another attempt. */
  isDue: boolean
  unfollow: () => void
  readonly expiry: { at: number }
}

export class Graveyard {
  private readonly graves = new Map<string, Grave>()
  private emptied = Deferred.makeUnsafe<void>()
  private readonly client: Context.Service.Shape<typeof KubeClient>
  private readonly watch: Pick<PodWatch, "follow">
  private readonly run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>
  private readonly uptime: () => number
  private readonly onGone: () => void

  constructor(
    client: Context.Service.Shape<typeof KubeClient>,
    watch: Pick<PodWatch, "follow">,
    /** Forks an effect into the scope of the hub. */
    run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>,
    uptime: () => number,
    /** Runs when a pod that existed is gone. */
    onGone: () => void
  ) {
    this.client = client
    this.watch = watch
    this.run = run
    this.uptime = uptime
    this.onGone = onGone
  }

  /** Names of pods that still exist as far as known, or whose deletion the API server has not accepted. */
  get names(): ReadonlyArray<string> {
    return [...this.graves.values()].filter(isOpen).map(({ name }) => name)
  }

  private get isEmpty(): boolean {
    for (const grave of this.graves.values()) if (isOpen(grave)) return false
    return true
  }

  /** Whether pods were given up that the watch never reported. Their creation may still be in progress. */
  get hasUnseen(): boolean {
    return [...this.graves.values()].some(({ uid }) => uid === undefined)
  }

  has(name: string): boolean {
    return this.graves.has(name)
  }

  /**
   * Gives a pod up. Completes when the first attempt to delete it has ended: true if the API server accepted the
   * deletion.
   */
  removePod(name: string, uid: string | undefined, gracePeriodSeconds?: number): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const known = this.graves.get(name)
      if (known !== undefined)
        return known.attempt === undefined ? Effect.succeed(known.accepted) : Fiber.join(known.attempt)
      const grave = this.dig(name, uid, gracePeriodSeconds)
      const attempt = this.attempt(grave)
      this.follow(grave)
      return Fiber.join(attempt)
    })
  }

  /** Gives up a pod that most likely does not exist: deletes it if the watch reports it. */
  removeIfSeen(name: string, gracePeriodSeconds?: number): void {
    if (this.graves.has(name)) return
    const grave = this.dig(name, undefined, gracePeriodSeconds)
    // Counts as accepted, because nothing exists that could be deleted.
    grave.accepted = true
    this.follow(grave)
  }

  private dig(name: string, uid: string | undefined, gracePeriodSeconds: number | undefined): Grave {
    const grave: Grave = {
      name,
      uid,
      gracePeriodSeconds,
      attempt: undefined,
      accepted: false,
      taken: undefined,
      isDue: false,
      unfollow: () => {},
      expiry: { at: this.uptime() + memory }
    }
    this.graves.set(name, grave)
    return grave
  }

  private follow(grave: Grave): void {
    grave.unfollow = this.watch.follow(grave.name, ({ gone, pod }) => this.seen(grave, pod, gone))
  }

  /** Applies a list: forgets pods that are absent and were deleted, or that were remembered for long enough. */
  relisted(present: ReadonlyMap<string, Pod>): void {
    for (const grave of this.graves.values()) {
      const pod = present.get(grave.name)
      if (pod !== undefined) this.seen(grave, pod, false)
      else if (this.uptime() > grave.expiry.at) this.forget(grave)
      else if (!grave.accepted) this.attempt(grave)
    }
  }

  private seen(grave: Grave, pod: Pod, gone: boolean): void {
    if (gone) return this.forget(grave)
    grave.uid ??= pod.metadata.uid
    // A deletion in progress needs no second one. The watch may report it later than the answer to the request.
    if (pod.metadata.deletionTimestamp === undefined && pod.metadata.uid !== grave.taken) this.attempt(grave)
  }

  /** Completes when `names` is empty. */
  get empty(): Effect.Effect<void> {
    return Effect.suspend(() => (this.isEmpty ? Effect.void : Deferred.await(this.emptied)))
  }

  private settled(): void {
    if (!this.isEmpty) return
    Deferred.doneUnsafe(this.emptied, Effect.void)
    this.emptied = Deferred.makeUnsafe()
  }

  private forget(grave: Grave): void {
    if (this.graves.get(grave.name) === grave) this.graves.delete(grave.name)
    grave.unfollow()
    // A pod that never existed leaves no room in a quota.
    if (grave.uid !== undefined) this.onGone()
    this.settled()
  }

  private attempt(grave: Grave): Fiber.Fiber<boolean> {
    if (grave.attempt !== undefined) return grave.attempt
    grave.expiry.at = this.uptime() + memory
    // An earlier acceptance says nothing about a pod that still exists.
    grave.accepted = false
    const { gracePeriodSeconds, name, uid } = grave
    const deletion = this.client.deletePod(name, {
      ...(uid === undefined ? {} : { uid }),
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds })
    })
    const attempt = this.run(
      Effect.match(deletion, {
        onSuccess: () => {
          grave.accepted = true
          grave.taken = uid
          return true
        },
        onFailure: () => false
      })
    )
    grave.attempt = attempt
    attempt.addObserver(() => {
      grave.attempt = undefined
      this.settled()
      if (this.graves.get(name) !== grave) return
      if (!grave.accepted) this.later(grave)
      // The pod showed up while the request found nothing to delete.
      else if (uid === undefined && grave.uid !== undefined) this.attempt(grave)
    })
    return attempt
  }

  private later(grave: Grave): void {
    if (grave.isDue) return
    grave.isDue = true
    this.run(
      Effect.delay(
        Effect.sync(() => {
          grave.isDue = false
          if (this.graves.get(grave.name) === grave && !grave.accepted) this.attempt(grave)
        }),
        again
      )
    )
  }
}

/**
 * Whether a pod was never seen and does not exist at the API server. Such a pod is remembered only in case it appears late.
 */
const isOpen = ({ accepted, uid }: Grave): boolean => !accepted || uid !== undefined
