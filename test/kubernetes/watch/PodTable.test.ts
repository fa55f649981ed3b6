import { assert, describe, it } from "@effect/vitest"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import { type PodChange, PodTable } from "../../../src/kubernetes/watch/PodTable.ts"
import * as Random from "../../simulation/Random.ts"
import { History } from "../kit/History.ts"

/** Changes as words, such as `a Running` or `a gone Failed`. */
const told = (changes: ReadonlyArray<PodChange>) =>
  changes.map(({ gone, pod }) => `${pod.metadata.name}${gone ? " gone" : ""} ${pod.status?.phase}`)

/** A table that has seen all of a history. */
const knowing = (history: History): PodTable => {
  const table = new PodTable()
  const list = history.listAt(history.version)
  table.merge(list)
  table.settle(list)
  return table
}

describe("the table of pods", () => {
  it("reports each change of a pod once, also if the change arrives twice", () => {
    const history = new History()
    history.create("a")
    const table = knowing(history)
    const events = [history.modify("a", "Running"), history.delete("a", "Failed")] as const
    assert.deepStrictEqual(told(table.apply({ type: "MODIFIED", object: events[0] })), ["a Running"])
    assert.deepStrictEqual(told(table.apply({ type: "MODIFIED", object: events[0] })), [])
    assert.deepStrictEqual(told(table.apply({ type: "DELETED", object: events[1] })), ["a gone Failed"])
    assert.deepStrictEqual(told(table.apply({ type: "DELETED", object: events[1] })), [])
    assert.deepStrictEqual(told(table.apply({ type: "MODIFIED", object: events[0] })), [])
    assert.strictEqual(table.pods.size, 0)
  })

  it("never goes back to an older version, also if the number of digits grows", () => {
    const history = new History()
    history.version = 98
    const old = history.create("a", "Pending")
    const table = new PodTable()
    table.apply({ type: "ADDED", object: history.modify("a", "Running") })
    assert.deepStrictEqual(told(table.apply({ type: "MODIFIED", object: old })), [])
    assert.strictEqual(table.pods.get("a")?.status?.phase, "Running")
    assert.strictEqual(table.version, "100")
  })

  it("reports a pod that vanished between two lists as gone, with its last state", () => {
    const history = new History()
    history.create("a")
    history.modify("a", "Running")
    const table = knowing(history)
    history.delete("a")
    const list = history.listAt(history.version)
    assert.deepStrictEqual(told(table.merge(list)), [])
    assert.deepStrictEqual(told(table.settle(list)), ["a gone Running"])
    // The watch reports the pod after all.
    assert.deepStrictEqual(told(history.events.flatMap((event) => table.apply(event))), [])
  })

  it("lets the watch report the last state of an end while a list waits to be settled", () => {
    const history = new History()
    history.create("a")
    const table = knowing(history)
    const event = { type: "DELETED", object: history.delete("a", "Failed") } as const
    const list = history.listAt(history.version)
    table.merge(list)
    assert.strictEqual(table.absent(list).length, 1)
    assert.deepStrictEqual(told(table.apply(event)), ["a gone Failed"])
    assert.deepStrictEqual(told(table.settle(list)), [])
  })

  it("keeps a pod that was created after a list", () => {
    const history = new History()
    const table = knowing(history)
    const list = history.listAt(history.version)
    const created = history.create("a")
    assert.deepStrictEqual(told(table.note(created)), ["a Pending"])
    table.merge(list)
    assert.deepStrictEqual(told(table.settle(list)), [])
    assert.deepStrictEqual(told(table.apply({ type: "ADDED", object: created })), [])
    assert.strictEqual(table.pods.get("a")?.metadata.uid, created.metadata.uid)
  })

  it("reports a pod that was created and deleted unseen as gone, once its create is noted", () => {
    const history = new History()
    const table = knowing(history)
    const early = history.create("early")
    const late = history.create("late")
    table.note(early)
    history.delete("early")
    history.delete("late")
    const list = history.listAt(history.version)
    table.merge(list)
    assert.deepStrictEqual(told(table.settle(list)), ["early gone Pending"])
    assert.deepStrictEqual(told(table.note(late)), ["late gone Pending"])
    assert.deepStrictEqual(told(table.note(late)), [])
  })

  it("does not restore ended pods from a list that is older than the watch, and learns of ends from the list", () => {
    const history = new History()
    history.create("a")
    history.create("b")
    const table = knowing(history)
    // The event of this deletion is lost.
    history.delete("b")
    const list = history.listAt(history.version)
    table.apply({ type: "DELETED", object: history.delete("a") })
    assert.deepStrictEqual(told(table.merge(list)), [])
    assert.deepStrictEqual(told(table.settle(list)), ["b gone Pending"])
    assert.strictEqual(table.pods.size, 0)
    assert.strictEqual(table.version, `${history.version}`)
  })

  it("treats a pod with the same name as another pod", () => {
    const history = new History()
    const first = history.create("a", "Running")
    const table = knowing(history)
    history.delete("a")
    const second = history.create("a", "Pending")
    const list = history.listAt(history.version)
    assert.deepStrictEqual(told(table.merge(list)), ["a gone Running", "a Pending"])
    assert.deepStrictEqual(told(table.settle(list)), [])
    assert.deepStrictEqual(told(table.apply({ type: "DELETED", object: { ...first } })), [])
    assert.strictEqual(table.pods.get("a")?.metadata.uid, second.metadata.uid)
  })

  it("starts anew when the cluster was restored to an older state", () => {
    const before = new History()
    before.version = 5000
    before.create("a", "Running")
    before.create("b", "Running")
    const table = knowing(before)
    const restored = new History()
    const kept: Pod = { ...before.listAt(before.version).items[0]!, status: { phase: "Pending" } }
    const list = { ...restored.listAt(restored.version), items: [kept] }
    assert.deepStrictEqual(told(table.reset(list)), ["b gone Running", "a Pending"])
    assert.strictEqual(table.version, `${restored.version}`)
  })

  it("keeps no secrets and few fields of a pod", () => {
    const table = new PodTable()
    const env = [{ name: "FLAME_RUNNER_KEY", value: "secret" }]
    const container = { name: "runner", image: "app:1", env, envFrom: [], volumeMounts: [] }
    const metadata = { name: "a", uid: "1", resourceVersion: "7", managedFields: [{ manager: "x" }] }
    const spec = { nodeName: "n", containers: [container], initContainers: [container], volumes: [], tolerations: [] }
    table.note({ metadata, spec, status: { phase: "Running" } })
    const bare = { name: "runner", image: "app:1" }
    assert.deepStrictEqual(table.pods.get("a"), {
      metadata: { name: "a", uid: "1", resourceVersion: "7" },
      spec: { nodeName: "n", containers: [bare], initContainers: [bare] },
      status: { phase: "Running" }
    })
  })
})

/**
 * Replays a real history through watches that are cut and resumed, repeated events, lists of any age, forgotten
 * versions, and answers to creates at any time.
 */
const simulate = (seed: number): number => {
  const random = Random.make(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const history = new History()
  const table = new PodTable()
  /** The knowledge of a follower of all pods: by uid, the last change, and whether it was the end. */
  const seen = new Map<string, PodChange>()
  const trail: Array<string> = []
  const hear = (changes: ReadonlyArray<PodChange>) => {
    for (const change of changes) {
      const { metadata } = change.pod
      const before = seen.get(metadata.uid!)
      assert.isFalse(before?.gone ?? false, `${metadata.uid} was told after its end, seed ${seed}: ${trail.join(" ")}`)
      if (before !== undefined && !change.gone) {
        assert.isAbove(Number(metadata.resourceVersion), Number(before.pod.metadata.resourceVersion), `seed ${seed}`)
      }
      const isThere = history.listAt(history.version).items.some((pod) => pod.metadata.uid === metadata.uid)
      if (change.gone) assert.isFalse(isThere, `${metadata.uid} lives, seed ${seed}: ${trail.join(" ")}`)
      seen.set(metadata.uid!, change)
    }
  }
  const list = (version: number, isAll = true) => {
    const list = history.listAt(version)
    hear(table.merge(list))
    if (isAll) hear(table.settle(list))
  }
  list(history.version)
  const answers: Array<Pod> = []
  const names = ["a", "b", "c", "d"]
  for (let step = 0; step < 120; step++) {
    const name = names[below(names.length)]!
    const move = below(12)
    trail.push(`${move}${name}`)
    if (move < 5) {
      if (!history.has(name)) {
        const created = history.create(name)
        if (random() < 0.5) answers.push(created)
      } else if (random() < 0.5) history.modify(name, `state ${step}`)
      else history.delete(name, `end ${step}`)
    } else if (move < 8) {
      // The watch sends some of the next events, at times starting with events that it sent before.
      const from = Math.max(0, Number(table.version) - (random() < 0.2 ? below(6) : 0))
      const events = history.after(from)
      for (const event of events.slice(0, below(events.length + 1))) hear(table.apply(event))
    } else if (move === 8) {
      history.pass()
      if (history.after(Number(table.version)).length === 0) {
        table.apply(history.bookmarkAt(history.version) as Parameters<PodTable["apply"]>[0])
      }
    } else if (move === 9) {
      const [answer] = answers.splice(below(answers.length), 1)
      if (answer !== undefined) hear(table.note(answer))
    } else {
      // A list of now, or a list that is older than what is known.
      list(history.version - below(move === 10 ? 1 : 8), random() < 0.7)
    }
  }
  for (const answer of answers) hear(table.note(answer))
  for (const event of history.after(Number(table.version))) hear(table.apply(event))
  if (random() < 0.5) list(history.version)
  const there = history.listAt(history.version).items
  assert.deepStrictEqual(
    [...table.pods.values()].toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1)),
    [...there].toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1)),
    `seed ${seed}: ${trail.join(" ")}`
  )
  // Every follower of a pod has got its end.
  const living = new Set(there.map(({ metadata }) => metadata.uid))
  for (const [uid, { gone }] of seen) assert.strictEqual(gone, !living.has(uid), `${uid}, seed ${seed}`)
  return seen.size
}

describe("PodTable on random histories", () => {
  it("holds the pods that exist in the end, reports each end once, and no end of a pod that exists", () => {
    let pods = 0
    for (let seed = 1; seed <= 2_000; seed++) pods += simulate(seed)
    assert.isAbove(pods, 20_000)
  })
})
