/**
 * All known pods that a selector matches, merged from lists, watch events, and answers to single calls.
 *
 * News may arrive late, twice, or from an API server that lags behind. The table compares resource versions, which are
 * ordered, and never replaces a pod by an older version. The table holds exactly the pods that existed at `version`, and
 * pods of newer answers to single calls. Two rules follow. An unknown pod that is not newer than `version` has ended. A list
 * proves the absence only of pods that are not newer than the list.
 */
import type { Container, List, Pod, WatchEvent } from "../object/KubeObjects.ts"

/** Whether the first version is newer than the second. An unknown version is older than all. */
export const isNewer = (first: string | undefined, second: string | undefined): boolean => {
  const a = first ?? ""
  const b = second ?? ""
  return a.length === b.length ? a > b : a.length > b.length
}

/** The newer of two versions. */
const newest = (first: string, second: string | undefined): string =>
  second !== undefined && isNewer(second, first) ? second : first

/** The present state of a pod, or its last state once it is gone. */
export interface PodChange {
  readonly pod: Pod
  readonly gone: boolean
}

type PodEvent = Exclude<WatchEvent<Pod>, { readonly type: "ERROR" }>

/** Pods whose end is remembered, so that a late answer to a call does not report the end a second time. */
const remembered = 256

const none: ReadonlyArray<PodChange> = []

/** A pod without the fields that this code does not read, which are most of it. `env` may hold a runner's key. */
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

  /** Every existing pod, by its name. */
  get pods(): ReadonlyMap<string, Pod> {
    return this.known
  }

  /** The version up to which the table is complete, from which a watch continues. */
  get version(): string {
    return this.at
  }

  /** Applies one event of the watch, in constant time. */
  apply(event: PodEvent): ReadonlyArray<PodChange> {
    const { object } = event
    const passed = this.at
    this.at = newest(passed, object.metadata.resourceVersion)
    if (event.type === "BOOKMARK") return none
    if (event.type === "DELETED") return this.remove(event.object, passed)
    return this.isOver(event.object, passed) ? none : this.put(event.object)
  }

  /** Applies the answer to a call about one pod, which the selector must match. */
  note(pod: Pod): ReadonlyArray<PodChange> {
    if (!this.isOver(pod, this.at)) return this.put(pod)
    // The table is complete up to a later version and has no such pod: it ended before the answer came.
    return this.ended.has(pod.metadata.uid) ? none : [this.end(trimmed(pod))]
  }

  /** Applies the pods that a list contains. */
  merge(list: List<Pod>): ReadonlyArray<PodChange> {
    // A watch that has overtaken the list knows of later deletions: a pod of the list alone has ended since.
    const isOvertaken = isNewer(this.at, list.metadata.resourceVersion)
    return list.items.flatMap((pod) => (isOvertaken && !this.known.has(pod.metadata.name!) ? none : this.put(pod)))
  }

  /** Applies the absence of pods from a list: those that are not newer than the list are gone. */
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

  /** Replaces everything by a list, whatever its version: the history was replaced, as by a restored backup. */
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
