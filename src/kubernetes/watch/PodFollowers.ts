/** The listeners of each pod: each gets every change in order, and an exception of one disturbs no other. */
import type { PodChange } from "./PodTable.ts"

export type PodListener = (change: PodChange) => void

interface Follower {
  readonly listener: PodListener
  /** Number of the last change that the listener knows from the state with which it began. */
  readonly since: number
}

export class PodFollowers {
  private readonly followers = new Map<string, Set<Follower>>()
  private readonly waiting: Array<readonly [number, PodChange]> = []
  private readonly threw: (cause: unknown) => void
  private count = 0
  private isTelling = false

  constructor(threw: (cause: unknown) => void) {
    this.threw = threw
  }

  add(name: string, listener: PodListener): () => void {
    const follower = { listener, since: this.count }
    const those = this.followers.get(name) ?? new Set()
    this.followers.set(name, those.add(follower))
    return () => {
      those.delete(follower)
      if (those.size === 0 && this.followers.get(name) === those) this.followers.delete(name)
    }
  }

  /** Reports changes. A change that a listener itself causes is reported after all listeners got the earlier ones. */
  report(changes: ReadonlyArray<PodChange>): void {
    for (const change of changes) {
      this.count++
      if (this.followers.has(change.pod.metadata.name!)) this.waiting.push([this.count, change])
    }
    if (this.isTelling || this.waiting.length === 0) return
    this.isTelling = true
    for (const [number, change] of this.waiting) {
      for (const { listener, since } of this.followers.get(change.pod.metadata.name!) ?? []) {
        if (since < number) this.safely(() => listener(change))
      }
    }
    this.waiting.length = 0
    this.isTelling = false
  }

  safely(run: () => void): void {
    try {
      run()
    } catch (cause) {
      this.threw(cause)
    }
  }
}
