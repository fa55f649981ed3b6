/**
 * The owner of everything that one life of a parent creates in the cluster: a Job that runs nothing.
 *
 * A killed parent cannot delete its pods and Secrets. Without a next life nothing else deletes them: the pod of a
 * failed Job stays listed for days, and a CI machine has another host name next time. Kubernetes has no timer for bare
 * pods and Secrets, but it deletes a finished Job after `ttlSecondsAfterFinished`, and with the Job all objects that it
 * owns. So this Job requests no completions and is finished at once, and the parent extends its time for as long as it
 * lives.
 *
 *   parent's pod, if any ◀──owns── Job ◀──owns── pods and Secrets of this life
 *
 * A parent without the right to create Jobs has none: its pod owns everything, or nothing does.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { hash } from "../object/ObjectNames.ts"
import type { Job, OwnerReference } from "../object/KubeObjects.ts"
import type { KubeClient } from "../api/KubeClient.ts"
import * as NeededRights from "../verdict/NeededRights.ts"

/** Seconds that pods and Secrets outlive a parent, at most. An outage of the API server that is as long would end runners. */
export const timeToLive = 3_000

/** Milliseconds between extensions. */
export const extendEvery = 300_000

/** Milliseconds that the cluster has to finish the Job, and that pass between two looks at it. */
const finishTime = 2_000
const lookEvery = 50

export interface LifelineOptions {
  readonly client: Context.Service.Shape<typeof KubeClient>
  /** Name and labels of the Job come from the identity and the life of the parent. */
  readonly prefix: string
  readonly life: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** The parent's pod; undefined outside the cluster. */
  readonly owner: OwnerReference | undefined
  /** An image for the pod template of the Job, of which no pod is ever made. */
  readonly image: string
  readonly uptime: () => number
}

export interface Lifeline {
  /** The owner of objects that are created now. Undefined if there is no Job. */
  readonly owner: () => OwnerReference | undefined
  /** Extends the Job now. Creates another Job if it was deleted, because pods whose owner is gone are deleted. */
  readonly extend: Effect.Effect<void>
  /**
   * Deletes the Job, and with it the leftovers of this life. Does not fail, because the Job's time to live ends anyway.
   */
  readonly remove: Effect.Effect<void>
}

/** Creates the Job and extends it until the scope closes, which leaves it to `remove`. */
export const make: (options: LifelineOptions) => Effect.Effect<Lifeline, never, Scope.Scope> = Effect.fnUntraced(
  function* (options) {
    const { client, owner, uptime } = options
    let held: { readonly job: Job; readonly finishedAt: number } | undefined
    let count = 0

    const create = Effect.suspend(() => {
      const name = `${options.prefix}-${hash(10, options.life, `${count++}`)}`
      return Effect.matchCause(created(options, name), {
        // Without the right, or the API, the leftovers of a killed parent stay for longer.
        onFailure: () => undefined,
        onSuccess: (job) => (job === undefined ? undefined : { job, finishedAt: uptime() })
      })
    })

    /**
     * Milliseconds since the Job has finished, by the API server's clock, which counts the time to live. The own clock stands
     * still while a laptop sleeps: each sleep would shorten the time to live for good.
     */
    const ageOf = ({ finishedAt, job }: NonNullable<typeof held>): number => {
      const now = client.serverTime?.()
      const { completionTime } = job.status ?? {}
      return now === undefined || completionTime === undefined
        ? uptime() - finishedAt
        : now - Date.parse(completionTime)
    }

    const extend = Effect.gen(function* () {
      if (held === undefined || client.extendJob === undefined) return
      const { job } = held
      const seconds = Math.ceil(Math.max(0, ageOf(held)) / 1_000) + timeToLive
      const isThere = yield* Effect.catchCause(
        client.extendJob(nameOf(job), job.metadata.uid ?? "", seconds),
        (cause) =>
          Effect.as(Effect.logWarning(`the time to live of Job ${nameOf(job)} could not be extended`, cause), true)
      )
      if (isThere || held.job !== job) return
      held = undefined
      yield* Effect.logWarning(
        `Job ${nameOf(job)} was deleted, and with it the runners that it owned: a new Job owns those that boot from now on`
      )
      held = yield* create
    })

    held = yield* create
    yield* Effect.forkScoped(Effect.forever(Effect.delay(extend, extendEvery)))
    return {
      owner: () => (held === undefined ? owner : ownedBy(held.job)),
      extend,
      remove: Effect.suspend(() => {
        if (held === undefined || client.deleteJob === undefined) return Effect.void
        const { name = "", uid } = held.job.metadata
        return Effect.ignoreCause(client.deleteJob(name, uid === undefined ? {} : { uid }))
      })
    }
  }
)

const nameOf = ({ metadata }: Job): string => metadata.name ?? ""

const ownedBy = ({ metadata: { name = "", uid = "" } }: Job): OwnerReference => ({
  apiVersion: "batch/v1",
  kind: "Job",
  name,
  uid,
  // `kubectl drain` refuses to evict pods without a controller.
  controller: true,
  // `true` needs the right to update finalizers on some clusters.
  blockOwnerDeletion: false
})

/**
 * The Job once it is finished. Undefined if it does not finish in time. The controller of unfinished Jobs removes its
 * ownership from pods that do not match the Job's selector.
 */
const created = ({ client, ...options }: LifelineOptions, name: string) =>
  Effect.gen(function* () {
    const { createJob, deleteJob, getJob } = client
    if (createJob === undefined || getJob === undefined) return undefined
    const rules = yield* client.rulesReview
    const may = ["create", "get", "patch", "delete"].every((verb) => NeededRights.allows(rules, verb, "jobs", "batch"))
    // Looks at the rights first: a refused request would appear in the audit log of the cluster.
    if (!may && !rules.incomplete) return undefined
    let job = yield* Effect.catchIf(
      createJob(jobOf(options, name)),
      // The name belongs to this life: an earlier try was executed, and its answer lost.
      ({ status }) => status === 409,
      () => getJob(name)
    )
    const finished = Effect.gen(function* () {
      while (job.status?.completionTime === undefined) {
        yield* Effect.sleep(lookEvery)
        job = yield* getJob(name)
      }
      return job
    })
    return yield* Effect.timeoutOrElse(finished, {
      duration: finishTime,
      orElse: () => Effect.as(deleteJob === undefined ? Effect.void : deleteJob(name), undefined)
    })
  })

const jobOf = ({ annotations, image, labels, owner }: Omit<LifelineOptions, "client">, name: string): Job => ({
  metadata: { name, labels, annotations, ...(owner === undefined ? {} : { ownerReferences: [owner] }) },
  spec: {
    completions: 0,
    parallelism: 0,
    ttlSecondsAfterFinished: timeToLive,
    template: {
      spec: {
        restartPolicy: "Never",
        automountServiceAccountToken: false,
        // Fit for namespaces of the strictest Pod Security, which warn about templates too.
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name: "none",
            image,
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } }
          }
        ]
      }
    }
  }
})
