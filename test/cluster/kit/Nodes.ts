/** Takes nodes out of service: cordoned, or with a stopped kubelet. The end of the Scope undoes it. */
import { execFileSync } from "node:child_process"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { inject } from "vitest"
import { type KubeObject, until } from "./Api.ts"
import * as Cluster from "./Cluster.ts"

/** An affinity that prefers a node while the node takes pods, and other nodes after that. */
export const preferring = (node: string) => ({
  nodeAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        preference: { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] }
      }
    ]
  }
})

/** Makes a node unschedulable. */
export const cordon = (node: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(Cluster.cordon(node, true), () => Cluster.cordon(node, false))

const kube = (verb: "stop" | "start", node: 1 | 2): void => {
  execFileSync(inject("cluster").tools.kube!, ["node", verb, `${node}`], { stdio: "ignore" })
}

/** Stops a node's kubelet without warning: its pods run on, and the API server gets no reports. */
export const stopKubelet = (node: 1 | 2): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => kube("stop", node)),
    () => Effect.sync(() => kube("start", node))
  )

/**
 * Makes a node unschedulable, and waits until it has only pods of one namespace. Pods of other tests could not end
 * while the kubelet is stopped.
 */
export const reserve = (node: string, namespace: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.andThen(
    cordon(node),
    Effect.asVoid(
      until(
        "/api/v1/pods",
        {},
        (pods) => pods.every((pod) => !isOn(pod, node) || pod.metadata.namespace === namespace),
        `${node} has no pods but those of ${namespace}`,
        180_000
      )
    )
  )

const isOn = ({ spec, status }: KubeObject, node: string): boolean =>
  spec.nodeName === node && status?.phase !== "Succeeded" && status?.phase !== "Failed"
