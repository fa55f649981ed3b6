/** Helpers for objects of a namespace: create, delete, wait, read a log, run a program in a pod. */
import { execFile } from "node:child_process"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import { patience } from "../../fixtures/conformance-process/patience.ts"
import { follow, type KubeObject, orMissing, request, until } from "./Api.ts"

const groups: Readonly<Record<string, string>> = {
  deployments: "/apis/apps/v1",
  replicasets: "/apis/apps/v1",
  jobs: "/apis/batch/v1",
  roles: "/apis/rbac.authorization.k8s.io/v1",
  rolebindings: "/apis/rbac.authorization.k8s.io/v1",
  poddisruptionbudgets: "/apis/policy/v1"
}

/** The path of a collection, such as the pods of a namespace. */
export const collection = (namespace: string, resource: string): string =>
  `${groups[resource] ?? "/api/v1"}/namespaces/${namespace}/${resource}`

export const create = (namespace: string, resource: string, object: KubeObject): Effect.Effect<KubeObject> =>
  Effect.orDie(request("POST", collection(namespace, resource), object))

/** An object, or undefined if it does not exist. */
export const get = (namespace: string, resource: string, name: string): Effect.Effect<KubeObject> =>
  orMissing(request("GET", `${collection(namespace, resource)}/${name}`))

export const list = (namespace: string, resource: string, labels = ""): Effect.Effect<ReadonlyArray<KubeObject>> =>
  Effect.map(
    Effect.orDie(request("GET", `${collection(namespace, resource)}?labelSelector=${encodeURIComponent(labels)}`)),
    ({ items }) => items as ReadonlyArray<KubeObject>
  )

/** Deletes an object. A missing object counts as deleted. */
export const remove = (
  namespace: string,
  resource: string,
  name: string,
  options: { readonly grace?: number; readonly propagation?: "Foreground" | "Background" | "Orphan" } = {}
): Effect.Effect<void> =>
  Effect.asVoid(
    orMissing(
      request("DELETE", `${collection(namespace, resource)}/${name}`, {
        ...(options.grace === undefined ? {} : { gracePeriodSeconds: options.grace }),
        ...(options.propagation === undefined ? {} : { propagationPolicy: options.propagation })
      })
    )
  )

export const patch = (
  namespace: string,
  resource: string,
  name: string,
  change: KubeObject
): Effect.Effect<KubeObject> => Effect.orDie(request("PATCH", `${collection(namespace, resource)}/${name}`, change))

/** Requests the eviction of a pod, as `kubectl drain` does. */
export const evict = (namespace: string, name: string): Effect.Effect<void> =>
  Effect.asVoid(
    Effect.orDie(
      request("POST", `${collection(namespace, "pods")}/${name}/eviction`, {
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { name, namespace }
      })
    )
  )

/** Makes a node unschedulable, or schedulable again. */
export const cordon = (node: string, unschedulable: boolean): Effect.Effect<void> =>
  Effect.asVoid(Effect.orDie(request("PATCH", `/api/v1/nodes/${node}`, { spec: { unschedulable } })))

/** Waits until a condition holds for a pod that exists. */
export const pod = <A>(
  namespace: string,
  name: string,
  look: (pod: KubeObject) => A | undefined | false,
  what: string
): Effect.Effect<A> =>
  until(
    collection(namespace, "pods"),
    { name },
    ([found]) => found !== undefined && look(found),
    `${what} of pod ${name}`
  )

/** Waits until an object does not exist any more. */
export const gone = (namespace: string, resource: string, name: string): Effect.Effect<void> =>
  Effect.asVoid(
    until(collection(namespace, resource), { name }, (found) => found.length === 0, `${resource} ${name} is gone`)
  )

/** Waits until a condition holds for the pods with a label. */
export const pods = <A>(
  namespace: string,
  labels: string,
  look: (pods: ReadonlyArray<KubeObject>) => A | undefined | false,
  what: string
): Effect.Effect<A> => until(collection(namespace, "pods"), { labels }, look, what)

/** The log of a container so far, of its present or its previous run. */
export const log = (namespace: string, name: string, options: { readonly previous?: boolean } = {}) =>
  Effect.map(
    orMissing(
      request("GET", `${collection(namespace, "pods")}/${name}/log${options.previous === true ? "?previous=true" : ""}`)
    ),
    (text) => String(text ?? "")
  )

/** Waits until a container has written a line. The container must have started. */
export const says = (namespace: string, name: string, line: RegExp): Effect.Effect<string> =>
  Effect.suspend(() => {
    const seen: Array<string> = []
    return Effect.callback<string>((resume) => {
      let timer: NodeJS.Timeout | undefined
      let stop = () => {}
      const again = () => {
        seen.length = 0
        const path = `${collection(namespace, "pods")}/${name}/log?follow=true`
        const take = (text: string) => {
          seen.push(text)
          if (line.test(text)) resume(Effect.succeed(text))
        }
        stop = follow(path, take, () => (timer = setTimeout(again, 50)))
      }
      again()
      return Effect.sync(() => {
        clearTimeout(timer)
        stop()
      })
    }).pipe(patience(() => `${name} says ${line}; it said ${seen.slice(-20).join("\n")}`))
  })

/** Runs a program in a container and returns its output. Ignores the exit code. */
export const exec = (namespace: string, name: string, ...command: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.callback<string>((resume) => {
    const { kubeconfig, kubectl } = inject("cluster").tools
    const child = execFile(
      kubectl,
      ["exec", "-n", namespace, name, "--", ...command],
      { env: { ...process.env, KUBECONFIG: kubeconfig } },
      (_error, stdout, stderr) => resume(Effect.succeed(`${stdout}${stderr}`))
    )
    return Effect.sync(() => void child.kill())
  })
