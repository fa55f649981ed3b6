/** Nodes that go: cordoned, or with a kubelet that is stopped; always undone at the end of the Scope. */
import { execFileSync } from "node:child_process"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { inject } from "vitest"
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
  execFileSync(inject("cluster").tools.kube, ["node", verb, `${node}`], { stdio: "ignore" })
}

/** Ends a node's kubelet without warning: its pods run on, and the API server hears nothing of them. */
export const stopKubelet = (node: 1 | 2): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => kube("stop", node)),
    () => Effect.sync(() => kube("start", node))
  )
