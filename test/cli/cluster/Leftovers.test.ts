import { assert, describe, it } from "@effect/vitest"
import type { Snapshot } from "../../../src/cli/cluster/Inventory.ts"
import * as Leftovers from "../../../src/cli/cluster/Leftovers.ts"
import type { ProcessMark } from "../../../src/kubernetes/object/PodLabels.ts"
import {
  ago,
  endedState,
  external,
  inCluster,
  job,
  parentPod,
  pendingState,
  runner,
  secret,
  snapshot
} from "../kit/Objects.ts"

const here: ProcessMark = { user: "ana", host: "laptop", program: "main.ts", pid: 7, machine: "m" }

const judge = (of: Partial<Snapshot>, isAlive: Leftovers.IsAlive = () => undefined) => {
  const { gone, unsure } = Leftovers.judge(snapshot(of), isAlive)
  const name = ({ kind, name }: Leftovers.Leftover) => `${kind} ${name}`
  return { gone: gone.map(name), unsure: unsure.map(name), why: [...gone, ...unsure].map(({ reason }) => reason) }
}

const everything = ["Pod runner-1", "Secret key", "Job job"]
const nothing: ReadonlyArray<string> = []

/** All objects of one life, with that age. */
const lifeOf = (of: Parameters<typeof runner>[0] & { readonly extended?: number }) => ({
  jobs: [job(of)],
  secrets: [secret(of)],
  runners: [runner(of)]
})

describe("an object of a living parent is never left over [C280]", () => {
  const mine = lifeOf({})
  const cases: Readonly<Record<string, Partial<Snapshot>>> = {
    "that runs in a pod": { ...mine, pods: [parentPod(), ...mine.runners] },
    "whose runner boots": { ...mine, pods: [parentPod(), runner({ state: pendingState, phase: "Pending", age: 1 })] },
    "whose runner has just ended": { ...mine, pods: [parentPod(), runner({ state: endedState(1) })] },
    "whose container has never restarted, on a node with a wrong clock": {
      ...mine,
      pods: [parentPod({ state: { running: { startedAt: ago(-900) } } }), ...mine.runners]
    },
    "that was made after the container restarted": {
      jobs: [job({ age: 30 })],
      pods: [
        parentPod({ restarts: 3, state: { running: { startedAt: ago(60) } }, lastState: endedState(61, 137) }),
        runner({ age: 20, state: pendingState, phase: "Pending" })
      ]
    },
    "that runs outside of the cluster and extends its Job": lifeOf({ parent: external, extended: 290 }),
    "that is a process of this machine, without a Job": {
      secrets: [secret({ parent: external, mark: here })],
      jobs: []
    },
    "that is a process of this machine, after an outage of the API server": lifeOf({
      parent: external,
      mark: here,
      age: 9_000,
      extended: 8_000
    }),
    "that runs in a pod and could not extend its Job for an hour": {
      ...lifeOf({ age: 9_000, extended: 3_600 }),
      pods: [parentPod(), ...mine.runners]
    },
    "that runs outside, could not extend its Job, and has made a runner since": {
      ...lifeOf({ parent: external, age: 9_000, extended: 3_600 }),
      pods: [runner({ parent: external, age: 60, state: pendingState, phase: "Pending" })]
    }
  }
  it.each(Object.entries(cases))("%s", (name, of) => {
    const { gone, unsure } = judge(of, () => (name.includes("machine") ? true : undefined))
    assert.deepStrictEqual([...gone, ...unsure], nothing)
  })
})

describe("all objects of a parent that is gone are left over [C281]", () => {
  const mine = lifeOf({})
  const pods = mine.runners
  const restarted = { restarts: 1, state: { running: { startedAt: ago(100) } }, lastState: endedState(101, 137) }
  const ended = [runner({ state: endedState(90, 1) })]
  const cases: ReadonlyArray<readonly [string, Partial<Snapshot>, RegExp]> = [
    ["its pod was deleted by force", { ...mine, pods }, /the parent's pod is gone/],
    [
      "its pod was evicted",
      { ...mine, pods: [parentPod({ phase: "Failed", reason: "Evicted" }), ...pods] },
      /app-1 has ended \(Failed: Evicted\)/
    ],
    [
      "its container ended, and a sidecar keeps the pod running",
      { ...mine, pods: [parentPod({ state: endedState(5, 137) }), ...ended] },
      /container app of pod app-1 is not running: Ended, exit code 137/
    ],
    [
      "its container was killed and restarted",
      { ...mine, pods: [parentPod(restarted), ...ended] },
      /container app of pod app-1 restarted: Ended, exit code 137/
    ],
    [
      "it ran outside, and does not extend its Job",
      {
        ...lifeOf({ parent: external, age: 4_000, extended: 1_201 }),
        pods: [runner({ parent: external, age: 4_000, state: endedState(900) })]
      },
      /has given no sign of life for 20 minutes/
    ]
  ]
  it.each(cases)("%s", (_, of, why) => {
    const judged = judge(of)
    assert.sameMembers(judged.gone, everything)
    assert.deepStrictEqual(judged.unsure, nothing)
    for (const each of judged.why) assert.match(each, why)
  })

  it("a killed process of this machine", () => {
    const mine = lifeOf({ parent: external, mark: here })
    const judged = judge({ ...mine, pods: mine.runners }, () => false)
    assert.sameMembers(judged.gone, everything)
    assert.match(judged.why.join(), /process 7 of this machine has ended/)
  })
})

describe("an object without proof stays, and is named [C282]", () => {
  it("when a runner of the former life still runs after a restart", () => {
    const mine = lifeOf({})
    const restarted = parentPod({
      restarts: 1,
      state: { running: { startedAt: ago(100) } },
      lastState: endedState(101)
    })
    const judged = judge({ ...mine, pods: [restarted, ...mine.runners] })
    assert.deepStrictEqual(judged.gone, nothing)
    assert.sameMembers(judged.unsure, everything)
  })

  it("when the object was made within seconds of a restart", () => {
    const state = { running: { startedAt: ago(100) } }
    const judged = judge({ jobs: [job({ age: 105 })], pods: [parentPod({ restarts: 1, state })] })
    assert.deepStrictEqual(judged.unsure, ["Job job"])
  })

  it("when a parent outside gives no sign of life, and its runner still runs", () => {
    const of = { parent: external, age: 9_000 }
    const judged = judge({ ...lifeOf({ ...of, extended: 3_600 }), pods: [runner(of)] })
    assert.deepStrictEqual(judged.gone, nothing)
    assert.sameMembers(judged.unsure, everything)
  })

  it("when a parent outside the cluster has no Job; only its long ended runner is left over", () => {
    const of = { parent: external, age: 900 }
    const judged = judge({
      secrets: [secret(of)],
      pods: [runner({ ...of, state: endedState(600) }, "old"), runner({ ...of, state: endedState(10) }, "new")]
    })
    assert.deepStrictEqual(judged.gone, ["Pod old"])
    assert.sameMembers(judged.unsure, ["Pod new", "Secret key"])
  })
})

it("objects of other parents and programs, and objects that are being deleted, are no leftovers [C280]", () => {
  const { metadata, ...rest } = runner({ parent: inCluster })
  const leaving = { ...rest, metadata: { ...metadata, deletionTimestamp: ago(1) } }
  const { labels: _, ...bare } = metadata
  const foreign = { ...rest, metadata: { ...bare, name: "foreign" } }
  assert.deepStrictEqual(judge({ pods: [leaving, foreign] }).gone, nothing)
})
