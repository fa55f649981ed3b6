/**
 * The Jobs of `KubeMock`: each is finished when it is created, and is deleted with the objects that it owns when its
 * time is over.
 */
import type { Job, Metadata } from "../kubernetes/object/KubeObjects.ts"

interface Kept {
  readonly job: Job
  readonly finishedAt: number
  readonly seconds: number
}

export class JobStore {
  private readonly kept = new Map<string, Kept>()

  get all(): ReadonlyArray<Job> {
    return [...this.kept.values()].map(({ job }) => job)
  }

  get(name: string): Job | undefined {
    return this.kept.get(name)?.job
  }

  /** Keeps a Job that is finished at that time, in milliseconds. */
  create(job: Job, now: number): Job {
    const finished: Job = { ...job, status: { completionTime: new Date(now).toISOString() } }
    const seconds = job.spec.ttlSecondsAfterFinished
    this.kept.set(job.metadata.name ?? "", { job: finished, finishedAt: now, seconds })
    return finished
  }

  /** Sets the time to live of a Job. Returns false if there is no such Job. */
  extend(name: string, uid: string, seconds: number): boolean {
    const kept = this.kept.get(name)
    if (kept === undefined || kept.job.metadata.uid !== uid) return false
    const spec = { ...kept.job.spec, ttlSecondsAfterFinished: seconds }
    this.kept.set(name, { ...kept, job: { ...kept.job, spec }, seconds })
    return true
  }

  /** Milliseconds until a Job is deleted. Undefined if it does not exist. */
  leftOf(name: string, uid: string, now: number): number | undefined {
    const kept = this.kept.get(name)
    if (kept === undefined || kept.job.metadata.uid !== uid) return undefined
    return kept.finishedAt + kept.seconds * 1_000 - now
  }

  /** Deletes a Job. Returns false if none has that name, or the uid differs. */
  remove(name: string, uid: string | undefined): boolean {
    const job = this.get(name)
    return job !== undefined && (uid === undefined || job.metadata.uid === uid) && this.kept.delete(name)
  }
}

/** Whether an object is owned by the object with that uid. */
export const isOwnedBy = ({ ownerReferences = [] }: Metadata, uid: string): boolean =>
  ownerReferences.some((owner) => owner.uid === uid)
