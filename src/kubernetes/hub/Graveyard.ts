/**
 * Pods that are given up: deleted now, and again whenever they show up, until they are seen gone.
 *
 * A create whose answer never came may still make a pod minutes later, and a delete may not reach the API server: neither
 * may leave anything behind, nor hold up whoever gave the pod up.
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Pod } from "../object/KubeObjects.ts"
import type { KubeClient } from "../api/KubeClient.ts"
import type { PodWatch } from "../watch/PodWatch.ts"

/** How long a name is remembered after the last attempt to delete it, in milliseconds. */
const memory = 5 * 60_000

/** How often an attempt that failed is made again by itself, in milliseconds: a watch that is cut off tells nothing. */
const again = 15_000

interface Grave {
  readonly name: string
  uid: string | undefined
  readonly gracePeriodSeconds: number | undefined
  attempt: Fiber.Fiber<boolean> | undefined
  /** Whether the API server has accepted a delete of it. */
  accepted: boolean
  /** The very pod that the API server was told to delete, and took. */
  taken: string | undefined
  /** Whether another attempt will be made by itself. */
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
  private readonly now: () => number
  private readonly onGone: () => void

  constructor(
    client: Context.Service.Shape<typeof KubeClient>,
    watch: Pick<PodWatch, "follow">,
    /** Runs what ends with the hub. */
    run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>,
    now: () => number,
    onGone: () => void
  ) {
    this.client = client
    this.watch = watch
    this.run = run
    this.now = now
    this.onGone = onGone
  }

  /** Names of pods that are known to be there still, or of which the API server could not be told. */
  get names(): ReadonlyArray<string> {
    return [...this.graves.values()].filter(isOpen).map(({ name }) => name)
  }

  private get isEmpty(): boolean {
    for (const grave of this.graves.values()) if (isOpen(grave)) return false
    return true
  }

  /** Whether there are pods that were given up before anybody had seen them: their creation may still be under way. */
  get hasUnseen(): boolean {
    return [...this.graves.values()].some(({ uid }) => uid === undefined)
  }

  has(name: string): boolean {
    return this.graves.has(name)
  }

  /** Gives a pod up. Completes when the first attempt to delete it has ended; true if the API server took it. */
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

  /** Gives up a pod that most likely will never be: it is deleted if it shows up. */
  removeIfSeen(name: string, gracePeriodSeconds?: number): void {
    if (this.graves.has(name)) return
    const grave = this.dig(name, undefined, gracePeriodSeconds)
    // as good as an answer that there is none
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
      expiry: { at: this.now() + memory }
    }
    this.graves.set(name, grave)
    return grave
  }

  private follow(grave: Grave): void {
    grave.unfollow = this.watch.follow(grave.name, ({ gone, pod }) => this.seen(grave, pod, gone))
  }

  /** After a relist: what is not there and has been deleted, or looked for long enough, is forgotten. */
  relisted(present: ReadonlyMap<string, Pod>): void {
    for (const grave of this.graves.values()) {
      const pod = present.get(grave.name)
      if (pod !== undefined) this.seen(grave, pod, false)
      else if (this.now() > grave.expiry.at) this.forget(grave)
      else if (!grave.accepted) this.attempt(grave)
    }
  }

  private seen(grave: Grave, pod: Pod, gone: boolean): void {
    if (gone) return this.forget(grave)
    grave.uid ??= pod.metadata.uid
    // a deletion that is under way needs no other one, though the watch may tell of it later than the answer did
    if (pod.metadata.deletionTimestamp === undefined && pod.metadata.uid !== grave.taken) this.attempt(grave)
  }

  /** Completes when there are no `names`. */
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
    // one that never was has left no room
    if (grave.uid !== undefined) this.onGone()
    this.settled()
  }

  private attempt(grave: Grave): Fiber.Fiber<boolean> {
    if (grave.attempt !== undefined) return grave.attempt
    grave.expiry.at = this.now() + memory
    // what was taken before says nothing of a pod that is still there
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
      // it showed up while there was none to delete yet
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

/** One that was never seen, and that the API server does not have, is only remembered for the case that it comes late. */
const isOpen = ({ accepted, uid }: Grave): boolean => !accepted || uid !== undefined
