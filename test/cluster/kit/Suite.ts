/** Suites that any backend has to pass, on pods of a namespace: each of their tests leaves nothing there. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inject } from "vitest"
import type { Backend } from "../../../src/backend/Backend.ts"
import type { Options } from "../../../src/kubernetes/KubernetesBackend.ts"
import * as KubernetesBackend from "../../../src/kubernetes/KubernetesBackend.ts"
import { freePort, host, kubeconfig } from "./HostParent.ts"
import { leavesNothing, mark, processes } from "./Leaks.ts"
import type { Namespace } from "./Namespaces.ts"

/** The two ways by which a runner and a parent outside of the cluster come together. */
export const ways = ["dials its parent", "is reached through the API server"] as const
export type Way = (typeof ways)[number]

/** How long a test on pods may take that others pass within 30 s, in milliseconds. */
export const limit = 60_000

/** Runners of `suites.mjs`, whose parent is this process. */
export const backend = (space: Namespace, way: Way, options: Options = {}): Layer.Layer<Backend> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const isDialled = way === "is reached through the API server"
      return KubernetesBackend.layer({
        kubeconfig: yield* kubeconfig(space.name, isDialled ? "forward" : "full"),
        namespace: space.name,
        // tests of one file that run beside each other are parents of their own
        program: space.name,
        ...(isDialled ? {} : { advertise: host, port: yield* freePort }),
        image: inject("cluster").images.app,
        command: ["node", "suites.mjs"],
        resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: "256Mi" } },
        ...options,
        env: { [mark]: space.name, ...options.env }
      })
    })
  ).pipe(Layer.orDie)

type Register = (name: string, test: () => Promise<void>, limit: number) => unknown

/** Registers tests, by the `it` of the test runner, that fail for what they leave in the namespace. */
export const leavingNothing =
  (space: Namespace, register: Register) =>
  (name: string, test: () => Promise<void>, limit: number): void =>
    void register(name, () => Effect.runPromise(leavesNothing(space.name, Effect.promise(test))), limit + 30_000)

/** Whether a process of a pod still runs. */
export const remains =
  (space: Namespace) =>
  ({ pod }: Readonly<Record<string, string>>): boolean =>
    processes(space.name, `HOSTNAME=${pod}`).length > 0
