/**
 * What is known of all pods that a selector finds, put together from lists, watch events and answers to single calls.
 *
 * These may come late, twice, or from a server that lags behind. What settles it is that resource versions are ordered:
 * a pod never goes back to an older version, and the table holds exactly what there was at `version`, beside newer
 * answers to single calls. So an unknown pod of a version that was passed is one that ended, and a list speaks about
 * the absence only of pods that are not newer than itself.
 */
import type { Container, List, Pod, WatchEvent } from "../object/KubeObjects.ts"

/** Whether the first is newer than the second; an unknown version is older than all. */
export const isNewer = (first: string | undefined, second: string | undefined): boolean => {
  const a = first ?? ""
  const b = second ?? ""
  return a.length === b.length ? a > b : a.length > b.length
}

/** The newer of two. */
const newest = (first: string, second: string | undefined): string =>
  second !== undefined && isNewer(second, first) ? second : first

/** One pod as it is now, or as it was last seen once it is gone. */
export interface PodChange {
  readonly pod: Pod
  readonly gone: boolean
}

type Told = Exclude<WatchEvent<Pod>, { readonly type: "ERROR" }>

/** How many of the pods that ended last are remembered, so that a late answer to a call does not tell of an end twice. */
const remembered = 256

const none: ReadonlyArray<PodChange> = []

/** A pod without what nobody here reads and what makes up most of it; env may hold a runner's key. */
const trimmed = (pod: Pod): Pod => {
  const { managedFields: _, ...metadata } = pod.metadata as Pod["metadata"] & { readonly managedFields?: unknown }
  const { affinity: _a, tolerations: _t, volumes: _v, containers, initContainers, ...spec } = pod.spec
  const inits = initContainers === undefined ? {} : { initContainers: initContainers.map(bare) }
  return { ...pod, metadata, spec: { ...spec, containers: containers.map(bare), ...inits } }
}

const bare = ({ env: _e, envFrom: _f, volumeMounts: _v, ...container }: Container): Container => container

const versionOf = (pod: Pod): string => pod.metadata.resourceVersion ?? ""

const isSame = (one: Pod, other: Pod): boolean => one.metadata.uid === other.metadata.uid

export class PodTable {
  private readonly known = new Map<string, Pod>()
  private readonly ended = new Set<string | undefined>()
  private at = ""

  /** Every pod that is there, by its name. */
  get pods(): ReadonlyMap<string, Pod> {
    return this.known
  }

  /** All that happened up to here is in the table: where a watch goes on. */
  get version(): string {
    return this.at
  }

  /** Takes one event of the watch; in constant time. */
  apply(event: Told): ReadonlyArray<PodChange> {
    const { object } = event
    const passed = this.at
    this.at = newest(passed, object.metadata.resourceVersion)
    if (event.type === "BOOKMARK") return none
    if (event.type === "DELETED") return this.remove(event.object, passed)
    return this.isOver(event.object, passed) ? none : this.put(event.object)
  }

  /** Takes the answer to a call about one pod, which must be one that the selector finds. */
  note(pod: Pod): ReadonlyArray<PodChange> {
    if (!this.isOver(pod, this.at)) return this.put(pod)
    // this version was passed and there is no such pod: it ended before the answer arrived
    return this.ended.has(pod.metadata.uid) ? none : [this.end(trimmed(pod))]
  }

  /** Takes what a list says of the pods in it. */
  merge(list: List<Pod>): ReadonlyArray<PodChange> {
    // the watch may have overtaken the list: then a pod that only the list knows may have ended since
    const isOvertaken = isNewer(this.at, list.metadata.resourceVersion)
    return list.items.flatMap((pod) => (isOvertaken && !this.known.has(pod.metadata.name!) ? none : this.put(pod)))
  }

  /** Takes what a list says of the pods that are not in it: those not newer than the list are gone. */
  settle(list: List<Pod>): ReadonlyArray<PodChange> {
    const gone = this.absent(list)
    for (const pod of gone) this.known.delete(pod.metadata.name!)
    this.at = newest(this.at, list.metadata.resourceVersion)
    return gone.map((pod) => this.end(pod))
  }

  /** The pods that are gone according to a list. */
  absent(list: List<Pod>): ReadonlyArray<Pod> {
    const listed = new Set(list.items.map(({ metadata }) => metadata.uid))
    const version = list.metadata.resourceVersion
    return [...this.known.values()].filter((pod) => !listed.has(pod.metadata.uid) && !isNewer(versionOf(pod), version))
  }

  /** Takes a list for the truth whatever its version: history itself was replaced, as by a restored backup. */
  reset(list: List<Pod>): ReadonlyArray<PodChange> {
    const before = [...this.known.values()]
    this.known.clear()
    this.at = list.metadata.resourceVersion ?? ""
    const there = list.items.flatMap((pod) => this.put(pod))
    const isGone = (pod: Pod) => this.known.get(pod.metadata.name!)?.metadata.uid !== pod.metadata.uid
    return [...before.filter(isGone).map((pod) => this.end(pod)), ...there]
  }

  private isOver(pod: Pod, passed: string): boolean {
    return !this.known.has(pod.metadata.name!) && !isNewer(versionOf(pod), passed)
  }

  private put(pod: Pod): ReadonlyArray<PodChange> {
    const before = this.known.get(pod.metadata.name!)
    if (before !== undefined && !isNewer(versionOf(pod), versionOf(before))) return none
    const change = { pod: trimmed(pod), gone: false }
    this.known.set(pod.metadata.name!, change.pod)
    return before === undefined || isSame(before, pod) ? [change] : [this.end(before), change]
  }

  private remove(pod: Pod, passed: string): ReadonlyArray<PodChange> {
    const before = this.known.get(pod.metadata.name!)
    const isOld = before === undefined ? !isNewer(versionOf(pod), passed) : isNewer(versionOf(before), versionOf(pod))
    if (isOld) return none
    this.known.delete(pod.metadata.name!)
    const last = this.end(trimmed(pod))
    return before === undefined || isSame(before, pod) ? [last] : [this.end(before), last]
  }

  private end(pod: Pod): PodChange {
    this.ended.add(pod.metadata.uid)
    for (const oldest of this.ended) {
      if (this.ended.size <= remembered) break
      this.ended.delete(oldest)
    }
    return { pod, gone: true }
  }
}
