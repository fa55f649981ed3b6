/** Nodes that go: cordoned, or with a kubelet that is stopped; always undone at the end of the Scope. */
import { execFileSync } from "node:child_process"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { inject } from "vitest"
import { type KubeObject, until } from "./Api.ts"
import * as Cluster from "./Cluster.ts"

/** An affinity that finds a place on that node as long as it takes pods, and elsewhere after that. */
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

/** Takes new pods off a node. */
export const cordon = (node: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(Cluster.cordon(node, true), () => Cluster.cordon(node, false))

const kube = (verb: "stop" | "start", node: 1 | 2): void => {
  execFileSync(inject("cluster").tools.kube!, ["node", verb, `${node}`], { stdio: "ignore" })
}

/** Ends a node's kubelet without warning: its pods run on, and the API server hears nothing of them. */
export const stopKubelet = (node: 1 | 2): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => kube("stop", node)),
    () => Effect.sync(() => kube("start", node))
  )

/** Takes new pods off a node, and waits until it has none but those of a namespace: others would wait for their end in vain. */
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
