import { assert, describe, it } from "@effect/vitest"
import * as Inventory from "../../../src/cli/cluster/Inventory.ts"
import * as Ps from "../../../src/cli/screen/Ps.ts"
import { painter } from "../../../src/cli/screen/Style.ts"
import * as Documents from "../kit/Documents.ts"
import { external, job, now, parentPod, pendingState, runner, secret, snapshot } from "../kit/Objects.ts"

const where = { namespace: "shop", server: "https://memory", now }
const plain = painter(false)

const viewsOf = (of: Parameters<typeof snapshot>[0]) => Inventory.parentsOf(snapshot(of))
const parentsOf = (of: Parameters<typeof snapshot>[0]) =>
  viewsOf(of).map((view) => Documents.parent({ name: view.name, view, document: undefined }))

describe("ps from labels alone [C285]", () => {
  it("shows the pod of a parent, and the state, node and age of each runner", () => {
    const parents = parentsOf({ pods: [parentPod(), runner({ age: 120 }), runner({ age: 5 }, "runner-2")] })
    const lines = Ps.screen(parents, where, plain, 200)
    assert.match(lines[0]!, /2 runners of 1 parent/)
    assert.match(
      lines.find((line) => line.startsWith("app-1"))!,
      /running +node1 +10m +2 runners/
    )
    assert.match(
      lines.find((line) => line.includes("runner-1"))!,
      /app +running +- +node1 +2m/
    )
  })

  it("shows why a boot waits", () => {
    const pending = {
      ...runner({ phase: "Pending", state: pendingState }),
      spec: { containers: [] },
      status: {
        phase: "Pending",
        conditions: [
          { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/2 nodes have enough memory" }
        ]
      }
    }
    const [row] = Ps.document(parentsOf({ pods: [parentPod(), pending] }), where).parents[0]!.runners
    assert.deepInclude(row, { state: "waiting", detail: "0/2 nodes have enough memory" })
  })

  it("names a process outside the cluster by its annotation, and a parent without one by its label", () => {
    const mark = { user: "ana", host: "laptop", program: "main.ts", pid: 7 }
    const named = parentsOf({ jobs: [job({ parent: external, mark })] })
    const bare = parentsOf({ secrets: [secret({ parent: external })] })
    assert.deepStrictEqual(
      [...named, ...bare].map(({ name }) => name),
      ["ana@laptop main.ts (pid 7)", external]
    )
  })

  it("removes escape sequences in texts of the cluster", () => {
    const evil = runner({ pool: "\u001b[2Japp" })
    assert.notInclude(Ps.screen(parentsOf({ pods: [parentPod(), evil] }), where, plain, 200).join(), "\u001b")
  })
})

describe("ps with a parent that answers [C285]", () => {
  it("shows calls and functions, and joins the pod of each runner", () => {
    const [view] = viewsOf({ pods: [parentPod(), runner({ age: 120 }, "app-1")] })
    const runners = Ps.runnersOf(Documents.parent({ view }), now)
    assert.lengthOf(runners, 1)
    assert.deepInclude(runners[0]!, { id: "app-1", state: "ready", calls: 1, node: "node1", ageMillis: 120_000 })
  })

  it("shows pods that the parent does not know", () => {
    const [view] = viewsOf({ pods: [parentPod(), runner({}, "app-1"), runner({}, "stray")] })
    const ids = Ps.runnersOf(Documents.parent({ view }), now).map(({ id }) => id)
    assert.deepStrictEqual(ids, ["app-1", "stray"])
  })
})
