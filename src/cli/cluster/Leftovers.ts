/**
 * Pure: the pods, Secrets and Jobs of a namespace whose parent is gone.
 *
 * A parent counts as gone on proof alone. An object without proof stays, and `unsure` names it with the missing proof.
 *
 * | parent | proof |
 * | --- | --- |
 * | in the cluster | its pod is not there, or has ended; its container has ended, or was started after this life began |
 * | outside | its process is not there, on this machine |
 * | outside | no runner of it runs, and for 20 minutes it has neither extended its Job nor made an object |
 * | outside, without a Job | its runner has ended long ago: a living parent deletes ended pods at once |
 *
 * A living parent outside the cluster extends its Job every five minutes, while the API server can be reached.
 */
import * as Lifeline from "../../kubernetes/hub/Lifeline.ts"
import type { ContainerStatus, Job, Metadata, Pod } from "../../kubernetes/object/KubeObjects.ts"
import type { ProcessMark } from "../../kubernetes/object/PodLabels.ts"
import { runnerOf } from "../../kubernetes/verdict/PodFacts.ts"
import * as Inventory from "./Inventory.ts"

/** An object of a parent. */
export interface Leftover {
  readonly kind: "Pod" | "Secret" | "Job"
  readonly name: string
  readonly uid: string
  readonly parent: string
  /** The name of the parent, for people. */
  readonly owner: string
  readonly life: string
  /** Milliseconds of the API server's clock. */
  readonly createdAt: number
  /** The proof that the parent is gone, or the missing one. */
  readonly reason: string
}

/** The judgement of all objects. */
export interface Judged {
  /** Objects whose parent is gone. */
  readonly gone: ReadonlyArray<Leftover>
  /** Objects without proof that their parent lives or is gone. */
  readonly unsure: ReadonlyArray<Leftover>
}

/** Whether a process of this machine is there; undefined for a process of another machine. */
export type IsAlive = (mark: ProcessMark) => boolean | undefined

type Verdict = { readonly _tag: "Lives" } | { readonly _tag: "Gone" | "Unsure"; readonly reason: string }

const lives: Verdict = { _tag: "Lives" }
const gone = (reason: string): Verdict => ({ _tag: "Gone", reason })
const unsure = (reason: string): Verdict => ({ _tag: "Unsure", reason })

/** Milliseconds that the clocks of a kubelet and of the API server may differ. */
const skew = 10_000

/**
 * Milliseconds without a sign of life after which a parent outside is gone. An outage of the API server hides the signs, and
 * the next extension comes up to five minutes after its end.
 */
const silence = 4 * Lifeline.extendEvery

/** Milliseconds after which an ended runner has no parent that would delete its pod. */
const endedFor = 120_000

/** A life of a parent, with its objects in the cluster. */
interface Life {
  readonly parent: string
  readonly job: Job | undefined
  readonly pods: ReadonlyArray<Pod>
  readonly metadata: ReadonlyArray<Metadata>
}

/** When the parent extended its Job last. Milliseconds of the API server's clock; undefined for an unfinished Job. */
const extendedAt = ({ spec, status }: Job): number | undefined =>
  status?.completionTime === undefined
    ? undefined
    : Inventory.millisOf(status.completionTime) + (spec.ttlSecondsAfterFinished - Lifeline.timeToLive) * 1_000

const hasEnded = (pod: Pod): boolean =>
  pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed" || runnerOf(pod)?.state?.terminated !== undefined

const ofContainer = (pod: Pod, status: ContainerStatus, life: Life): Verdict => {
  const name = `container ${status.name} of pod ${pod.metadata.name}`
  const began = Math.min(...life.metadata.map(({ creationTimestamp }) => Inventory.millisOf(creationTimestamp)))
  const running = status.state?.running
  // The end of the process that made these objects, or the start of the process after it.
  const last = status.state?.terminated ?? status.lastState?.terminated
  const after = Inventory.millisOf(running === undefined ? last?.finishedAt : running.startedAt)
  const isNoOther = running !== undefined && (status.restartCount ?? 0) === 0
  if (after === 0 || isNoOther || began > after) return lives
  if (began > after - skew) return unsure(`${name} restarted in the seconds in which this object was made`)
  if (runsOn(life)) {
    return unsure(`${name} restarted, and a runner of the process before it still runs; such a runner ends by itself`)
  }
  return gone(
    running === undefined ? `${name} is not running: ${causeOf(last)}` : `${name} restarted: ${causeOf(last)}`
  )
}

const causeOf = (last: { readonly reason?: string; readonly exitCode: number } | undefined): string =>
  last === undefined ? "the process that made it has ended" : `${last.reason ?? "Ended"}, exit code ${last.exitCode}`

const inCluster = (uid: string, life: Life, { pods }: Inventory.Snapshot): Verdict => {
  const pod = pods.find(({ metadata }) => metadata.uid === uid)
  if (pod === undefined) return gone("the parent's pod is gone")
  const { name } = pod.metadata
  const { phase, reason } = pod.status ?? {}
  if (phase === "Succeeded" || phase === "Failed") {
    return gone(`the parent's pod ${name} has ended (${reason === undefined ? phase : `${phase}: ${reason}`})`)
  }
  const container = Inventory.containerOf(life.parent)
  const status = pod.status?.containerStatuses?.find((each) => each.name === container)
  return status === undefined ? lives : ofContainer(pod, status, life)
}

const outside = (life: Life, isAlive: IsAlive, now: number): Verdict => {
  const mark = life.metadata.map(Inventory.processOf).find((each) => each !== undefined)
  const isThere = mark === undefined ? undefined : isAlive(mark)
  if (mark !== undefined && isThere === false) return gone(`process ${mark.pid} of this machine has ended`)
  if (isThere === true) return lives
  if (life.job === undefined) {
    return unsure("the parent runs outside of the cluster and has no Job: nothing here tells whether it lives")
  }
  const extended = extendedAt(life.job)
  const seen = Math.max(
    extended ?? now,
    ...life.metadata.map(({ creationTimestamp }) => Inventory.millisOf(creationTimestamp))
  )
  if (now - seen <= silence) return lives
  const words = `the parent has given no sign of life for ${Math.round((now - seen) / 60_000)} minutes`
  return runsOn(life) ? unsure(`${words}, but a runner of it still runs`) : gone(words)
}

/** Whether a runner of the life still runs. A runner whose parent is gone ends by itself. */
const runsOn = ({ pods }: Life): boolean =>
  pods.some((each) => !hasEnded(each) && runnerOf(each)?.state?.running !== undefined)

const verdictOf = (life: Life, snapshot: Inventory.Snapshot, isAlive: IsAlive): Verdict => {
  const uid = Inventory.podUidOf(life.parent)
  return uid === undefined ? outside(life, isAlive, snapshot.now) : inCluster(uid, life, snapshot)
}

/** The proof that a single pod is left over, although nothing is known of its parent. */
const ofPod = (pod: Pod, verdict: Verdict, now: number): Verdict => {
  if (verdict._tag !== "Unsure" || !hasEnded(pod)) return verdict
  const finished = Inventory.millisOf(runnerOf(pod)?.state?.terminated?.finishedAt)
  return finished > 0 && now - finished > endedFor
    ? gone(`the runner ended ${Math.round((now - finished) / 60_000)} minutes ago, and no parent deleted its pod`)
    : verdict
}

/** Judges all objects of all parents. Objects that are being deleted already are left out. */
export const judge = (snapshot: Inventory.Snapshot, isAlive: IsAlive): Judged => {
  const runners = snapshot.pods.filter(Inventory.isRunner)
  const jobs = snapshot.jobs ?? []
  const secrets = snapshot.secrets ?? []
  const names = new Map(Inventory.parentsOf(snapshot).map(({ name, parent }) => [parent, name]))
  const keyOf = (metadata: Metadata): string => `${Inventory.parentOf(metadata)} ${Inventory.lifeOf(metadata)}`
  const of = <A extends { readonly metadata: Metadata }>(all: ReadonlyArray<A>, key: string) =>
    all.filter(({ metadata }) => keyOf(metadata) === key)
  const all: Array<readonly [Leftover, Verdict]> = []
  for (const key of new Set([...runners, ...jobs, ...secrets].map(({ metadata }) => keyOf(metadata)))) {
    const mine = { pods: of(runners, key), jobs: of(jobs, key), secrets: of(secrets, key) }
    const metadata = [...mine.pods, ...mine.jobs, ...mine.secrets].map((each) => each.metadata)
    const parent = Inventory.parentOf(metadata[0]!)
    const verdict = verdictOf({ parent, job: mine.jobs[0], pods: mine.pods, metadata }, snapshot, isAlive)
    const add = (kind: Leftover["kind"], metadata: Metadata, judged: Verdict): void => {
      if (judged._tag === "Lives" || metadata.deletionTimestamp !== undefined) return
      const leftover = {
        kind,
        name: metadata.name ?? "",
        uid: metadata.uid ?? "",
        parent,
        owner: names.get(parent) ?? parent,
        life: Inventory.lifeOf(metadata),
        createdAt: Inventory.millisOf(metadata.creationTimestamp),
        reason: judged.reason
      }
      all.push([leftover, judged])
    }
    for (const pod of mine.pods) add("Pod", pod.metadata, ofPod(pod, verdict, snapshot.now))
    for (const each of mine.secrets) add("Secret", each.metadata, verdict)
    for (const each of mine.jobs) add("Job", each.metadata, verdict)
  }
  const those = (tag: Verdict["_tag"]) => all.filter(([, { _tag }]) => _tag === tag).map(([each]) => each)
  return { gone: those("Gone"), unsure: those("Unsure") }
}
