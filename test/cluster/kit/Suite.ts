/** Runs suites for every backend on pods of a namespace. Each test must leave nothing there. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inject } from "vitest"
import type { Backend } from "../../../src/backend/Backend.ts"
import type { Options } from "../../../src/kubernetes/KubernetesBackend.ts"
import * as KubernetesBackend from "../../../src/kubernetes/KubernetesBackend.ts"
import { freePort, host, kubeconfig } from "./HostParent.ts"
import { leavesNothing, mark, processes } from "./Leaks.ts"
import type { Namespace } from "./Namespaces.ts"

/** The two ways in which a runner and a parent outside of the cluster connect. */
export const ways = ["dials its parent", "is reached through the API server"] as const
export type Way = (typeof ways)[number]

/** The limit of a test on pods, in milliseconds. Other backends have 30 s. */
export const limit = 60_000

/** A backend with runners of `suites.mjs`, whose parent is this process. */
export const backend = (space: Namespace, way: Way, options: Options = {}): Layer.Layer<Backend> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const isDialled = way === "is reached through the API server"
      return KubernetesBackend.layer({
        kubeconfig: yield* kubeconfig(space.name, isDialled ? "forward" : "full"),
        namespace: space.name,
        // Concurrent tests of one file have parents of their own.
        program: space.name,
        ...(isDialled ? {} : { advertise: host, port: yield* freePort }),
        ...(options.code === undefined ? { image: inject("cluster").images.app, command: ["node", "suites.mjs"] } : {}),
        resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: "256Mi" } },
        ...options,
        env: { [mark]: space.name, ...options.env }
      })
    })
  ).pipe(Layer.orDie)

type Register = (name: string, test: () => Promise<void>, limit: number) => unknown

/**
 * Registers tests, by `it` of the test runner, that fail for objects and processes that they leave in the namespace.
 */
export const leavingNothing =
  (space: Namespace, register: Register) =>
  (name: string, test: () => Promise<void>, limit: number): void =>
    void register(name, () => Effect.runPromise(leavesNothing(space.name, Effect.promise(test))), limit + 30_000)

/** Whether a process of a pod still runs. */
export const remains =
  (space: Namespace) =>
  ({ pod }: Readonly<Record<string, string>>): boolean =>
    processes(space.name, `HOSTNAME=${pod}`).length > 0
