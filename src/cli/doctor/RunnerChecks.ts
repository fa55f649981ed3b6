/**
 * Pure: the runners that a parent has now, and the boots that failed lately. Both show the effect of options that no pod
 * template contains.
 */
import type { Pod } from "../../kubernetes/object/KubeObjects.ts"
import type { StatusDocument } from "../../status/record/StatusDocument.ts"
import * as Inventory from "../cluster/Inventory.ts"
import { type Check, fail, type Fix, ok, warn } from "./Check.ts"

/** Milliseconds that a boot may wait before the wait is worth a line. */
const patience = 10_000

/** Milliseconds after which a failed boot says nothing about the next call. */
const memory = 600_000

const requestsOf = (pod: Pod): string =>
  pod.spec.containers
    .flatMap(({ resources }) => Object.entries(resources?.requests ?? {}))
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")

const fixOf = (detail: string, pod: Pod): Fix => {
  if (/Insufficient/.test(detail)) {
    return {
      fix: `a runner requests ${requestsOf(pod)}: lower \`resources\` in the options of the layer, or add a node`
    }
  }
  if (/didn't match Pod's node affinity|node selector/.test(detail)) {
    return { fix: "correct `nodeSelector` or `affinity` in the options of the layer, or label a node" }
  }
  if (/untolerated taint/.test(detail)) return { fix: "add `tolerations` in the options of the layer" }
  return { fix: "mend what the line names; effect-flame ps shows each runner" }
}

const waiting = (runners: ReadonlyArray<Pod>, now: number): ReadonlyArray<Check> => {
  const views = runners.map((pod) => ({ pod, view: Inventory.runnerView(pod, now) }))
  const stuck = views.filter(({ view }) => view.state === "waiting" && now - view.createdAt > patience)
  const [first] = stuck
  if (first === undefined) {
    const running = views.filter(({ view }) => view.state === "running").length
    return [ok("runners", `${running} of ${views.length} runners of this parent run now`)]
  }
  const detail = (first.view.detail ?? "nothing says what for").replaceAll(/\s+/g, " ")
  const line = `${stuck.length} of ${views.length} runners wait: ${detail}`
  return [(stuck.length === views.length ? fail : warn)("runners", line, fixOf(detail, first.pod))]
}

const failures = (document: StatusDocument): ReadonlyArray<Check> =>
  document.pools.flatMap(({ failures, pool }) =>
    failures
      .filter(({ at, kind }) => kind === "boot" && document.at - at < memory)
      .map(({ count, message, tag }) =>
        fail("boots", `${count} boots of pool ${pool} failed lately: ${tag}: ${message.replaceAll(/\s+/g, " ")}`, {
          fix: "mend the cause that the line names; effect-flame logs --pods shows the output of runners"
        })
      )
  )

/** The checks of runners. `document`: the parent's status, if it answers. */
export const checks = (
  runners: ReadonlyArray<Pod>,
  document: StatusDocument | undefined,
  now: number
): ReadonlyArray<Check> => [
  ...(runners.length === 0 ? [] : waiting(runners, now)),
  ...(document === undefined ? [] : failures(document))
]
