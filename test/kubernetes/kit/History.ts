/** The true history of some pods, from which a test takes lists and watch events of any moment. */
import type { List, Pod, WatchEvent } from "../../../src/kubernetes/object/KubeObjects.ts"

export type PodEvent = Exclude<WatchEvent<Pod>, { readonly type: "ERROR" | "BOOKMARK" }>

const versionOf = (pod: Pod): number => Number(pod.metadata.resourceVersion)

export class History {
  readonly events: Array<PodEvent> = []
  /** Starts below 100, where the number of digits soon grows, because versions must not be compared as strings. */
  version = 95
  private readonly now = new Map<string, Pod>()
  private uids = 0

  create(name: string, state = "Pending"): Pod {
    return this.add("ADDED", { name, uid: `${name}/${++this.uids}` }, state)
  }

  modify(name: string, state: string): Pod {
    return this.add("MODIFIED", this.now.get(name)!.metadata, state)
  }

  /** As at the API server, the deletion is an event with a version of its own. */
  delete(name: string, state = "Succeeded"): Pod {
    return this.add("DELETED", this.now.get(name)!.metadata, state)
  }

  /** Counts a version for an event of another object. */
  pass(): void {
    this.version++
  }

  has(name: string): boolean {
    return this.now.has(name)
  }

  get names(): ReadonlyArray<string> {
    return [...this.now.keys()]
  }

  after(version: number): ReadonlyArray<PodEvent> {
    return this.events.filter(({ object }) => versionOf(object) > version)
  }

  listAt(version: number): List<Pod> {
    const pods = new Map<string, Pod>()
    for (const { object, type } of this.events) {
      if (versionOf(object) > version) break
      if (type === "DELETED") pods.delete(object.metadata.name!)
      else pods.set(object.metadata.name!, object)
    }
    return { metadata: { resourceVersion: `${version}` }, items: [...pods.values()] }
  }

  bookmarkAt(version: number): WatchEvent<Pod> {
    return { type: "BOOKMARK", object: { metadata: { resourceVersion: `${version}` } } }
  }

  private add(type: PodEvent["type"], { name, uid }: Pod["metadata"], phase: string): Pod {
    const object: Pod = {
      metadata: { name: name!, uid: uid!, resourceVersion: `${++this.version}` },
      spec: { containers: [{ name: "runner" }] },
      status: { phase }
    }
    this.events.push({ type, object })
    if (type === "DELETED") this.now.delete(name!)
    else this.now.set(name!, object)
    return object
  }
}
