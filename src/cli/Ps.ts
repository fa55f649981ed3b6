/** Pure: the output of `ps`. */
import type { ParentView, RunnerState, RunnerView } from "./cluster/Inventory.ts"
import { age, type Cell, count, type Paint, table, type Tone } from "./Style.ts"

/** The namespace that is shown. */
export interface Where {
  readonly namespace: string
  readonly server: string
  /** Milliseconds of the API server's clock. */
  readonly now: number
}

const tones: Readonly<Record<RunnerState, Tone>> = {
  waiting: "warn",
  booting: "accent",
  running: "good",
  leaving: "dim",
  ended: "bad"
}

/** The document of `ps --json`. */
export const document = (parents: ReadonlyArray<ParentView>, { namespace, now, server }: Where) => ({
  version: 1,
  kind: "ps",
  server,
  namespace,
  at: new Date(now).toISOString(),
  parents: parents.map(({ isInCluster, name, parent, pod, runners }) => ({
    parent,
    name,
    isInCluster,
    ...(pod === undefined ? {} : { pod: pod.metadata.name, phase: pod.status?.phase }),
    runners: runners.map(({ createdAt, uid: _, ...runner }) => ({
      ...runner,
      createdAt: new Date(createdAt).toISOString(),
      ageMillis: Math.max(0, now - createdAt)
    }))
  }))
})

const row = (runner: RunnerView, now: number): ReadonlyArray<Cell> => [
  `  ${runner.id}`,
  runner.pool,
  [tones[runner.state], runner.state],
  runner.node ?? "-",
  age(now - runner.createdAt),
  runner.detail ?? ""
]

const stateOf = ({ isInCluster, pod }: ParentView): Cell => {
  if (!isInCluster) return ["dim", "outside"]
  if (pod === undefined) return ["bad", "gone"]
  if (pod.metadata.deletionTimestamp !== undefined) return ["dim", "leaving"]
  const phase = pod.status?.phase ?? "Pending"
  return phase === "Running" ? ["good", "running"] : [phase === "Pending" ? "warn" : "bad", phase.toLowerCase()]
}

/** The screen of `ps`. */
export const screen = (
  parents: ReadonlyArray<ParentView>,
  { namespace, now }: Where,
  paint: Paint,
  width: number
): ReadonlyArray<string> => {
  const runners = parents.flatMap((parent) => parent.runners)
  const total = `${count(runners.length, "runner")} of ${count(parents.length, "parent")} in namespace ${namespace}`
  if (parents.length === 0) return [total]
  const rows = parents.flatMap((parent): ReadonlyArray<ReadonlyArray<Cell>> => {
    const { metadata, spec } = parent.pod ?? {}
    const since = Date.parse(metadata?.creationTimestamp ?? "")
    const self: ReadonlyArray<Cell> = [
      ["bold", parent.name],
      "",
      stateOf(parent),
      spec?.nodeName ?? "-",
      Number.isNaN(since) ? "-" : age(now - since),
      ["dim", count(parent.runners.length, "runner")]
    ]
    return [self, ...parent.runners.map((runner) => row(runner, now))]
  })
  return [total, "", ...table(paint, ["PARENT / RUNNER", "POOL", "STATE", "NODE", "AGE", "DETAIL"], rows, width)]
}
