/** Pure: the output of `ps`. */
import type { PoolDocument } from "../../status/record/StatusDocument.ts"
import type { ParentView, RunnerView } from "../cluster/Inventory.ts"
import type { Parent } from "../status/Parents.ts"
import { count } from "../../time/Spoken.ts"
import { age, type Cell, type Paint, table, type Tone } from "./Style.ts"

/** The namespace that is shown; without a cluster there is none. */
export interface Where {
  readonly namespace: string | undefined
  readonly server: string | undefined
  /** Milliseconds of the API server's clock, or of this machine's. */
  readonly now: number
}

type RunnerDocument = PoolDocument["runners"][number]

/** A runner, by its pod, by its parent's status, or both. */
export interface RunnerRow {
  readonly id: string
  readonly pool: string
  readonly state: string
  readonly pod?: string
  readonly node?: string
  readonly image?: string
  readonly life?: string
  /** Calls that hold a slot; absent if the parent was not asked. */
  readonly calls?: number
  readonly detail?: string
  /** Milliseconds since its pod was made, or since it became ready. */
  readonly ageMillis?: number
  /** Functions that it runs, with the milliseconds since each began. */
  readonly running?: ReadonlyArray<{ readonly function: string; readonly since: number }>
}

const ofPod = ({ createdAt, uid: _, ...view }: RunnerView, now: number): RunnerRow => ({
  ...view,
  ageMillis: Math.max(0, now - createdAt)
})

/** The node of a pod, or the pid of a child process. */
const nodeOrPid = (labels: Readonly<Record<string, string>>): { readonly node?: string } => {
  const { node, pid } = labels
  return node !== undefined ? { node } : pid === undefined ? {} : { node: `pid ${pid}` }
}

/** A runner as its parent reports it. `since`: milliseconds since it became ready, or since its boot began. */
const ofDocument = (pool: string, runner: RunnerDocument, since: number | undefined): RunnerRow => ({
  id: runner.id,
  pool,
  // A boot with a reason to wait is shown as waiting.
  state: runner.state === "booting" && runner.waitsFor !== undefined ? "waiting" : runner.state,
  calls: runner.calls,
  ...(runner.labels["pod"] === undefined ? {} : { pod: runner.labels["pod"] }),
  ...nodeOrPid(runner.labels),
  ...(runner.waitsFor === undefined
    ? runner.state === "booting"
      ? { detail: `reached ${runner.phase}` }
      : {}
    : { detail: runner.waitsFor }),
  ...(since === undefined ? {} : { ageMillis: since }),
  running: runner.running.map(({ function: name, since }) => ({ function: name, since }))
})

/** A pod whose end its parent has not seen, or that its parent does not know, keeps the state of the pod. */
const podStates: ReadonlySet<string> = new Set(["ended", "leaving"])

/** The runners of a parent: first those in the parent's status, then those known only by their pods. */
export const runnersOf = ({ document, view }: Parent, now: number): ReadonlyArray<RunnerRow> => {
  const pods = new Map((view?.runners ?? []).map((each) => [each.id, ofPod(each, now)]))
  const said = (document?.pools ?? []).flatMap(({ boots, pool, runners }) =>
    runners.map((each) => {
      const pod = pods.get(each.id)
      const boot = boots.find(({ outcome, runner }) => runner === each.id && outcome === "booting")
      const own = ofDocument(pool, each, each.age ?? boot?.took)
      pods.delete(each.id)
      if (pod === undefined) return own
      const isOver = podStates.has(pod.state)
      return {
        ...pod,
        ...own,
        ...(isOver ? { state: pod.state } : {}),
        ...(pod.ageMillis === undefined ? {} : { ageMillis: pod.ageMillis })
      }
    })
  )
  return [...said, ...pods.values()]
}

const phaseOf = ({ pod }: ParentView): string =>
  pod === undefined
    ? "gone"
    : pod.metadata.deletionTimestamp !== undefined
      ? "leaving"
      : (pod.status?.phase ?? "Pending").toLowerCase()

/** The state of a parent: a process here answers, a pod has its phase, and another process outside only has objects. */
export const stateOf = ({ document, view }: Parent): string =>
  view?.isInCluster === true ? phaseOf(view) : document === undefined ? "outside" : "running"

/** The document of `ps --json`. */
export const document = (parents: ReadonlyArray<Parent>, { namespace, now, server }: Where) => ({
  version: 1,
  kind: "ps",
  ...(server === undefined ? {} : { server, namespace }),
  at: new Date(now).toISOString(),
  parents: parents.map((parent) => ({
    name: parent.name,
    state: stateOf(parent),
    ...(parent.view === undefined ? {} : { parent: parent.view.parent, isInCluster: parent.view.isInCluster }),
    ...(parent.view?.pod === undefined ? {} : { pod: parent.view.pod.metadata.name }),
    answers: parent.document !== undefined,
    ...(parent.document === undefined ? {} : { process: parent.document.parent }),
    pools: (parent.document?.pools ?? []).map(
      ({ boots: _, calls: __, functions: ___, history: ____, runners: _____, ...pool }) => pool
    ),
    runners: runnersOf(parent, now)
  }))
})

const tones: Readonly<Record<string, Tone>> = {
  waiting: "warn",
  booting: "accent",
  running: "good",
  ready: "good",
  unresponsive: "bad",
  draining: "dim",
  leaving: "dim",
  outside: "dim",
  pending: "warn",
  ended: "bad",
  gone: "bad",
  failed: "bad"
}

const state = (text: string): Cell => [tones[text] ?? "plain", text]

const doing = ({ detail, running = [] }: RunnerRow): string =>
  detail ??
  running
    .slice(0, 3)
    .map(({ function: name, since }) => `${name} ${age(since)}`)
    .concat(running.length > 3 ? [`and ${running.length - 3} more`] : [])
    .join(", ")

const runnerRow = (runner: RunnerRow): ReadonlyArray<Cell> => [
  `  ${runner.id}`,
  runner.pool,
  state(runner.state),
  runner.calls === undefined ? "-" : String(runner.calls),
  runner.node ?? "-",
  runner.ageMillis === undefined ? "-" : age(runner.ageMillis),
  doing(runner)
]

const totalsOf = ({ document }: Parent, runners: number): string => {
  if (document === undefined) return count(runners, "runner")
  const sum = (of: (pool: PoolDocument) => number): number =>
    document.pools.reduce((total, pool) => total + of(pool), 0)
  const waiting = sum((pool) => pool.waiting)
  const failed = sum(({ totals }) => totals.bootsFailed + totals.runnersLost)
  const booting = sum((pool) => pool.booting)
  return [
    `${sum(({ ready }) => ready)} ready${booting === 0 ? "" : `, ${booting} booting`}, max ${sum(({ max }) => max)}`,
    ...(waiting === 0 ? [] : [`${count(waiting, "call")} waiting`]),
    ...(failed === 0 ? [] : [`${failed} boots or runners failed`])
  ].join(", ")
}

const parentRow = (parent: Parent, now: number): ReadonlyArray<Cell> => {
  const { document, view } = parent
  const since = view?.pod?.metadata.creationTimestamp
  const begun = since === undefined ? document?.parent.startedAt : Date.parse(since)
  return [
    ["bold", parent.name],
    "",
    state(stateOf(parent)),
    "",
    view?.pod?.spec.nodeName ?? (document === undefined || view?.isInCluster === true ? "-" : "here"),
    begun === undefined ? "-" : age(now - begun),
    ["dim", totalsOf(parent, runnersOf(parent, now).length)]
  ]
}

const heading = ["PARENT / RUNNER", "POOL", "STATE", "CALLS", "NODE", "AGE", "DETAIL"]

/** The screen of `ps`. */
export const screen = (
  parents: ReadonlyArray<Parent>,
  { namespace, now }: Where,
  paint: Paint,
  width: number
): ReadonlyArray<string> => {
  const runners = parents.reduce((sum, parent) => sum + runnersOf(parent, now).length, 0)
  const place = namespace === undefined ? "on this machine" : `on this machine and in namespace ${namespace}`
  const total = `${count(runners, "runner")} of ${count(parents.length, "parent")} ${place}`
  if (parents.length === 0) return [total]
  const rows = parents.flatMap((parent) => [parentRow(parent, now), ...runnersOf(parent, now).map(runnerRow)])
  return [total, "", ...table(paint, heading, rows, width, true)]
}
