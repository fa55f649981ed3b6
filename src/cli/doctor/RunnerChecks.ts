/**
 * Pure: the runners that a parent has now, and the boots that failed lately. Both show the effect of options that no pod
 * template contains.
 */
import type { Pod } from "../../kubernetes/object/KubeObjects.ts"
import type { StatusDocument } from "../../status/record/StatusDocument.ts"
import * as Inventory from "../cluster/Inventory.ts"
import { count, spoken } from "../../time/Spoken.ts"
import { type Check, fail, type Fix, imageFix, ok, warn } from "./Check.ts"

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
  if (/could not be pulled/.test(detail)) return { fix: imageFix }
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

/** Milliseconds after which a boot that waits for nothing of the cluster is worth a line. */
const slowBoot = 20_000

/** The fix of a boot that stays at a step. */
const stuckAt = (step: string): string =>
  step === "started" || step === "connected"
    ? "runners do not reach their parent: look at `advertise` and `port` in the options of the layer, and at NetworkPolicies"
    : "their program loads slowly, or builds its services slowly: effect-flame logs --pods shows its output"

const booting = (document: StatusDocument): ReadonlyArray<Check> =>
  document.pools.flatMap(({ boots, pool, ready }) => {
    const slow = boots.filter(
      (each) => each.outcome === "booting" && each.waitsFor === undefined && each.took > slowBoot
    )
    const [first] = slow
    if (first === undefined) return []
    const step = first.steps.at(-1)?.[0] ?? "launched"
    const longest = Math.max(...slow.map(({ took }) => took))
    const number = `${count(slow.length, "boot")} of pool ${pool} ${slow.length === 1 ? "has" : "have"}`
    const line = `${number} taken ${spoken(longest)} so far, and reached the step ${step}`
    return [(ready === 0 ? fail : warn)("boots.slow", line, { fix: stuckAt(step) })]
  })

/** The fix of boots that failed. Pods of failed boots are deleted, so only a new boot has output. */
const fixOfFailure = (tag: string): string =>
  tag === "ProcessExited"
    ? "mend the program; effect-flame logs -f --pods shows the whole output of the next boots"
    : tag === "ImagePull"
      ? imageFix
      : "mend the cause that the line names"

const failures = (document: StatusDocument): ReadonlyArray<Check> =>
  document.pools.flatMap(({ failures, pool }) =>
    failures
      .filter(({ at, kind }) => kind === "boot" && document.at - at < memory)
      .map(({ count: number, message, tag }) =>
        fail(
          "boots",
          `${count(number, "boot")} of pool ${pool} failed lately: ${tag}: ${message.replaceAll(/\s+/g, " ")}`,
          {
            fix: fixOfFailure(tag)
          }
        )
      )
  )

/** The checks of runners. `document`: the parent's status, if it answers. */
export const checks = (
  runners: ReadonlyArray<Pod>,
  document: StatusDocument | undefined,
  now: number
): ReadonlyArray<Check> => [
  ...(runners.length === 0 ? [] : waiting(runners, now)),
  ...(document === undefined ? [] : [...booting(document), ...failures(document)])
]
