/**
 * Pure: the knowledge of a parent about one runner that is a pod, as one value, with every transition of that value.
 *
 * Three facts change independently, so that the value has three parts, each a union:
 *
 *   object    unasked ──ask──▶ asked ──refuse──▶ refused          what the API server has
 *                                ▲                  │
 *                                └───────ask────────┘
 *             unasked, asked, refused ──see──▶ present ──see──▶ gone
 *
 *   session   booting ──connect──▶ open ──close──▶ closed         how far the runner came
 *                │                  ▲
 *              doom              connect                          a runner may connect while its failure is examined
 *                ▼                  │
 *             failing ──────────────┘
 *                └──fail──▶ failed
 *
 *   owner     wanted ──kill──▶ killed ──remove──▶ removed         what the parent wants
 *                └───────────remove────────────────┘
 *
 * `see` leads to gone at once if the first news of a pod is its deletion.
 */
import type { BootFailure } from "../error/BootFailure.ts"
import { Killed, NodeLost, type RunnerExit } from "../error/RunnerExit.ts"
import type { Pod } from "./object/KubeObjects.ts"
import * as PodEnd from "./verdict/PodEnd.ts"
import * as PodFacts from "./verdict/PodFacts.ts"

/** The pod at the API server, as far as the parent knows. */
export type PodObject =
  /** No request was sent: there is no pod. */
  | { readonly _tag: "Unasked" }
  /** A create request was sent: there may be a pod, whatever becomes of the answer. */
  | { readonly _tag: "Asked" }
  /** The API server refused every create request: most likely there is no pod. */
  | { readonly _tag: "Refused" }
  | { readonly _tag: "Present"; readonly pod: Pod }
  /** The watch reported the deletion of the pod, which was last seen so. */
  | { readonly _tag: "Gone"; readonly pod: Pod }

/** How far the runner came. */
export type Session =
  | { readonly _tag: "Booting" }
  /** The boot cannot succeed; the last words of the runner are being fetched. */
  | { readonly _tag: "Failing" }
  | { readonly _tag: "Failed"; readonly cause: BootFailure }
  | { readonly _tag: "Open" }
  /** `cleanlyAt`: uptime in milliseconds when the session was closed; undefined for a session that broke. */
  | { readonly _tag: "Closed"; readonly cleanlyAt: number | undefined }

/** The intention of the parent. */
export type Owner =
  | { readonly _tag: "Wanted" }
  | { readonly _tag: "Killed"; readonly by: string }
  | { readonly _tag: "Removed"; readonly killedBy: string | undefined }

export interface RunnerPodState {
  readonly object: PodObject
  readonly session: Session
  readonly owner: Owner
}

export const initial: RunnerPodState = {
  object: { _tag: "Unasked" },
  session: { _tag: "Booting" },
  owner: { _tag: "Wanted" }
}

/** The pod as last seen. Undefined before its first report. */
export const podOf = ({ object }: RunnerPodState): Pod | undefined =>
  object._tag === "Present" || object._tag === "Gone" ? object.pod : undefined

/** A create request is sent. */
export const ask = (state: RunnerPodState): RunnerPodState =>
  podOf(state) === undefined ? { ...state, object: { _tag: "Asked" } } : state

/** The API server refused the create request, and every one before it. */
export const refuse = (state: RunnerPodState): RunnerPodState =>
  state.object._tag === "Asked" ? { ...state, object: { _tag: "Refused" } } : state

/** The watch, or the answer to a request, shows the pod. A pod that is gone stays gone. */
export const see = (state: RunnerPodState, pod: Pod, isGone: boolean): RunnerPodState => ({
  ...state,
  object: { _tag: isGone || state.object._tag === "Gone" ? "Gone" : "Present", pod }
})

/** Marks the boot as doomed. An open session, and a boot that has failed, stay as they are. */
export const doom = (state: RunnerPodState): RunnerPodState =>
  state.session._tag === "Booting" ? { ...state, session: { _tag: "Failing" } } : state

/** The boot has failed with this cause. */
export const fail = (state: RunnerPodState, cause: BootFailure): RunnerPodState =>
  state.session._tag === "Failing" ? { ...state, session: { _tag: "Failed", cause } } : state

/** The runner is connected and authenticated. */
export const connect = (state: RunnerPodState): RunnerPodState => ({ ...state, session: { _tag: "Open" } })

/** Closes the session. `cleanlyAt` is undefined if the connection broke. */
export const close = (state: RunnerPodState, cleanlyAt: number | undefined): RunnerPodState =>
  state.session._tag === "Open" ? { ...state, session: { _tag: "Closed", cleanlyAt } } : state

/** Records that the parent kills the runner. The first reason stays. */
export const kill = (state: RunnerPodState, by: string): RunnerPodState =>
  state.owner._tag === "Wanted" ? { ...state, owner: { _tag: "Killed", by } } : state

/** The scope of the runner closes. */
export const remove = (state: RunnerPodState): RunnerPodState =>
  state.owner._tag === "Removed"
    ? state
    : { ...state, owner: { _tag: "Removed", killedBy: state.owner._tag === "Killed" ? state.owner.by : undefined } }

/** Whether the runner has had a session. */
export const hasConnected = ({ session }: RunnerPodState): boolean =>
  session._tag === "Open" || session._tag === "Closed"

/**
 * How the runner ended. Undefined while it lives, or while the cause of its failed boot is being found out, because
 * callers that wait for either must get that cause.
 */
export const exitOf = (state: RunnerPodState): RunnerExit | undefined => {
  const { object, owner, session } = state
  const pod = podOf(state)
  if (pod === undefined || session._tag === "Failing") return undefined
  const found = PodEnd.exitOf(pod, object._tag === "Gone") ?? lostNode(state, pod)
  if (found === undefined) return undefined
  // Nothing on a silent node could end the runner, and its open session proves that it lives.
  if (session._tag === "Open" && owner._tag === "Wanted" && found.reason._tag === "NodeLost" && !wasSeenEnded(pod)) {
    return undefined
  }
  const killedBy = owner._tag === "Killed" ? owner.by : owner._tag === "Removed" ? owner.killedBy : undefined
  const reason = killedBy === undefined ? found.reason : new Killed({ signal: "SIGKILL", by: killedBy })
  // A runner can connect before its container is reported as running. A deleted object then proves nothing about its
  // process.
  return { reason, gone: found.gone && (!hasConnected(state) || wasSeenEnded(pod)) }
}

const wasSeenEnded = (pod: Pod): boolean => PodFacts.runnerOf(pod)?.state?.terminated !== undefined

/** The end of a runner that is removed from a silent node, of which no report will come for a long time. */
const lostNode = ({ owner }: RunnerPodState, pod: Pod): RunnerExit | undefined =>
  owner._tag === "Removed" && PodFacts.isNodeSilent(pod)
    ? { reason: new NodeLost({ node: PodFacts.nodeOf(pod) }), gone: false }
    : undefined

/**
 * Seconds that the kubelet has to let the runner end by itself.
 *
 * A runner without a session has nothing to finish. Only a cleanly closed session tells when the runner noticed its end:
 * after a broken one the runner gets the whole `cancelGrace`.
 */
export const graceOf = (state: RunnerPodState, cancelGrace: number, uptime: number): number => {
  if (!hasConnected(state)) return 1
  const { session } = state
  const elapsed = session._tag === "Closed" && session.cleanlyAt !== undefined ? uptime - session.cleanlyAt : 0
  return Math.ceil(Math.max(0, cancelGrace - elapsed) / 1_000) + 1
}
