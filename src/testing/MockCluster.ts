/**
 * The objects of the API server in memory, and how they change by themselves: pods live by a script, their programs start
 * and end with their containers, and an owner takes its objects with it.
 *
 * `MockClient.ts` is the API by which a program reaches the objects. `KubeMock.ts` is the hand of a test on them.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { DeleteOptions, Rules } from "../kubernetes/api/KubeClient.ts"
import type { ClusterEvent, Job, Pod, Secret } from "../kubernetes/object/KubeObjects.ts"
import { runnerOf } from "../kubernetes/verdict/PodFacts.ts"
import { isOwnedBy, JobStore } from "./JobStore.ts"
import type { MockPrograms } from "./MockPrograms.ts"
import { type Ended, finished, type Script, step, terminated, terminatedState } from "./PodScript.ts"
import { PodStore } from "./PodStore.ts"

/**
 * The end of a deleted pod.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ending extends Ended {
  /** Milliseconds from SIGTERM to the end of the containers. A pod is killed at the end of its grace. */
  readonly after: number
}

const everything: Rules = { incomplete: false, rules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }] }

const time = Effect.map(Clock.currentTimeMillis, (now) => new Date(now).toISOString())

/** The parts of a cluster in memory. `script` is the life of each pod until a test sets another one. */
export interface ClusterParts {
  readonly namespace: string
  readonly scope: Scope.Scope
  readonly programs: MockPrograms
  readonly secrets: Map<string, Secret>
  readonly script: Script
}

export class MockCluster {
  readonly namespace: string
  readonly programs: MockPrograms
  readonly secrets: Map<string, Secret>
  readonly store = new PodStore()
  readonly jobs = new JobStore()
  readonly logs = new Map<string, string>()
  readonly told: Array<ClusterEvent> = []
  scriptOf: (pod: Pod) => Script
  ending: Ending = { after: 0, exitCode: 0 }
  rules = everything
  /** Uids of pods that were deleted and have not ended: their scripts are over. */
  private readonly leaving = new Set<string>()
  private readonly scope: Scope.Scope

  constructor({ namespace, programs, scope, script, secrets }: ClusterParts) {
    this.namespace = namespace
    this.programs = programs
    this.secrets = secrets
    this.scope = scope
    this.scriptOf = () => script
  }

  /** Stores a pod. Its program starts and ends with its container. */
  putPod(pod: Pod): Pod {
    const stored = this.store.put(pod)
    const { name = "", uid = "" } = stored.metadata
    const state = runnerOf(stored)?.state
    if (state?.running !== undefined) {
      this.programs.start(stored, this.play(stored, [terminated(0, { exitCode: 0 }), finished(0)]))
    } else if (state?.terminated !== undefined) this.programs.kill(uid)
    return this.store.get(name) ?? stored
  }

  removePod(name: string): void {
    const uid = this.store.get(name)?.metadata.uid
    this.store.remove(name)
    if (uid !== undefined) this.programs.kill(uid)
  }

  /** Plays the steps of a script on a pod, in the background. */
  play(pod: Pod, script: Script): Effect.Effect<void> {
    return Effect.forEach(
      script,
      ({ after, change }) =>
        Effect.andThen(Effect.sleep(after), this.change(pod.metadata.uid!, pod.metadata.name!, change)),
      { discard: true }
    ).pipe(Effect.forkIn(this.scope, { startImmediately: true }), Effect.asVoid)
  }

  private change(uid: string, name: string, to: (pod: Pod, now: string) => Pod | undefined): Effect.Effect<void> {
    return Effect.map(time, (now) => {
      const pod = this.store.get(name)
      // A script goes on after its pod was deleted, when another pod may have the name.
      if (pod === undefined || pod.metadata.uid !== uid) return
      const next = to(pod, now)
      if (next === undefined) this.removePod(name)
      else if (next !== pod) this.putPod(next)
    })
  }

  /** Creates a pod, and plays the script of new pods on it. `dryRun` stores nothing. */
  createPod(pod: Pod, dryRun: boolean): Effect.Effect<Pod> {
    return Effect.gen({ self: this }, function* () {
      const metadata = {
        ...pod.metadata,
        namespace: this.namespace,
        uid: this.store.nextUid(),
        creationTimestamp: yield* time
      }
      const created: Pod = { ...pod, metadata, status: { phase: "Pending" } }
      if (dryRun) return created
      const stored = this.store.put(created)
      const script = this.scriptOf(stored).map(({ after, change }) =>
        step(after, (pod, now) => (this.leaving.has(pod.metadata.uid!) ? pod : change(pod, now)))
      )
      yield* this.play(stored, script)
      return stored
    })
  }

  /** Deletes a pod: at once if no container of it runs, else by `ending`. Ignores a pod of another uid. */
  deletePod(name: string, { gracePeriodSeconds, uid }: DeleteOptions = {}): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const pod = this.store.get(name)
      if (pod === undefined || (uid !== undefined && pod.metadata.uid !== uid)) return
      const grace = gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30
      const isOver = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed"
      // No container runs that would have to end first.
      if (grace === 0 || isOver || pod.spec.nodeName === undefined) return this.removePod(name)
      if (this.leaving.has(pod.metadata.uid!)) return
      this.leaving.add(pod.metadata.uid!)
      const now = yield* Clock.currentTimeMillis
      const deletionTimestamp = new Date(now + grace * 1000).toISOString()
      const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace }
      const stored = this.putPod({ ...pod, metadata })
      this.programs.terminate(pod.metadata.uid!)
      yield* this.endPod(stored, grace * 1000)
    })
  }

  /** Ends a deleted pod by `ending`, at the latest after its grace, and removes it. */
  private endPod(pod: Pod, graceMillis: number): Effect.Effect<void> {
    const { ending } = this
    const killed: Ended = { exitCode: 137, reason: "Error" }
    const how = ending.after <= graceMillis ? ending : killed
    return this.play(pod, [
      {
        after: Math.min(ending.after, graceMillis),
        change: (pod, now) => ({
          ...pod,
          status: {
            ...pod.status,
            phase: how.exitCode === 0 ? "Succeeded" : "Failed",
            containerStatuses: pod.spec.containers.map(({ name }) => ({ name, state: terminatedState(how, pod, now) }))
          }
        })
      },
      { after: 0, change: () => undefined }
    ])
  }

  /** Creates a Job, which is deleted at the end of its time. */
  createJob(job: Job): Effect.Effect<Job> {
    return Effect.gen({ self: this }, function* () {
      const uid = this.store.nextUid()
      const created = { ...job, metadata: { ...job.metadata, namespace: this.namespace, uid } }
      const made = this.jobs.create(created, yield* Clock.currentTimeMillis)
      yield* Effect.forkIn(this.expire(job.metadata.name ?? "", uid), this.scope)
      return made
    })
  }

  /** Deletes a Job at the end of its time, which may be extended meanwhile. */
  private expire(name: string, uid: string): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const left = this.jobs.leftOf(name, uid, yield* Clock.currentTimeMillis)
        if (left === undefined) return
        if (left > 0) yield* Effect.sleep(left)
        else if (this.jobs.remove(name, uid)) return yield* this.collect(uid)
      }
    })
  }

  /** Deletes the objects that the object with that uid owns, as the garbage collector does. */
  collect(uid: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      for (const [name, { metadata }] of this.secrets) if (isOwnedBy(metadata, uid)) this.secrets.delete(name)
      const owned = this.store.list("").items.filter(({ metadata }) => isOwnedBy(metadata, uid))
      return Effect.forEach(owned, ({ metadata }) => this.deletePod(metadata.name ?? ""), { discard: true })
    })
  }

  /** Records an event about a pod. */
  tell(name: string, event: ClusterEvent): Effect.Effect<void> {
    return Effect.map(time, (now) => {
      const uid = this.store.get(name)?.metadata.uid
      this.told.push({ lastTimestamp: now, involvedObject: uid === undefined ? { name } : { name, uid }, ...event })
    })
  }
}
