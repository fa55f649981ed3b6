/** Pure: the parent's own pod: its time to end, and its service mesh. */
import * as DrainBudget from "../../kubernetes/hub/DrainBudget.ts"
import * as PodMesh from "../../kubernetes/template/PodMesh.ts"
import { spoken } from "../../time/Spoken.ts"
import { type Check, fail, ok, warn } from "./Check.ts"
import { type Parent, patchOf } from "./Parent.ts"

/** Milliseconds of the pool's options that decide the end of a parent. */
export interface Drain {
  readonly drainTimeout: number
  readonly cancelGrace: number
}

/** Whether the parent's pod has the time that its calls may take. */
export const grace = ({ pod, workload }: Parent, drain: Drain, namespace: string): ReadonlyArray<Check> => {
  if (pod === undefined) return []
  const has = pod.pod.spec.terminationGracePeriodSeconds ?? 30
  const short = DrainBudget.shortage(pod.pod, drain)
  if (short === undefined) {
    return [ok("grace", `the parent has ${has} s to end, enough for a drain of ${spoken(drain.drainTimeout)}`)]
  }
  const wanted = Number(/terminationGracePeriodSeconds to (\d+)/.exec(short)?.[1])
  const command = patchOf(workload, namespace, { terminationGracePeriodSeconds: wanted })
  const line = `the parent has ${has} s to end: ${short.split(": set its ")[0]}`
  return [warn("grace", line, { fix: command ?? `set terminationGracePeriodSeconds to ${wanted}` })]
}

/** Whether a mesh's proxy lets runners dial the parent. */
export const mesh = ({ pod }: Parent, port: number): ReadonlyArray<Check> => {
  const advice = PodMesh.adviceFor(pod?.pod, port)
  if (advice === undefined) return []
  const [what = advice, change = ""] = advice.split(": add to ")
  return [fail("mesh", what, { fix: `add to ${change.replaceAll(/\s+/g, " ")}` })]
}
