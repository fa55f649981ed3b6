/**
 * A parent outside of the cluster whose requests to the API server go through a proxy that counts them and injects
 * faults.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { inject } from "vitest"
import type { Backend } from "../../../src/backend/Backend.ts"
import type { FlameError } from "../../../src/error/FlameError.ts"
import type { Pool } from "../../../src/pool/Pool.ts"
import * as ApiProxy from "./ApiProxy.ts"
import type { ApiRequest } from "./ApiRequest.ts"
import { type HostOptions, type HostScene, inPool } from "./HostParent.ts"
import { leavesNothing } from "./Leaks.ts"
import * as Namespaces from "./Namespaces.ts"

export interface ProxiedScene extends HostScene {
  readonly proxy: ApiProxy.ApiProxy
}

/** Runs a test on a pool whose parent uses a proxy with an account's token, and checks that nothing is left. */
export const throughProxy = <A, E>(
  space: Namespaces.Namespace,
  options: HostOptions & {
    /** The account whose token the parent has. Default: the account of `rights`. */
    readonly account?: string
  },
  body: (scene: ProxiedScene) => Effect.Effect<A, E, Pool | Backend | Scope.Scope>
): Effect.Effect<A, E | FlameError> =>
  Effect.suspend(() => {
    const { account = Namespaces.account(options.rights), ...given } = options
    return leavesNothing(
      space.name,
      Effect.gen(function* () {
        const token = yield* Namespaces.token(space.name, account)
        const proxy = yield* ApiProxy.make({ access: inject("cluster").access, token, namespace: space.name })
        return yield* inPool(space, { kubeconfig: proxy.kubeconfig, ...given }, (scene) => body({ ...scene, proxy }))
      })
    )
  })

/** Whether a request creates a pod, and is not a dry run. */
export const isCreate = ({ path, resource, verb }: ApiRequest): boolean =>
  verb === "create" && resource === "pods" && !path.includes("dryRun")

/** The number of creates of pods. */
export const created = (proxy: ApiProxy.ApiProxy): number => proxy.requests.filter(isCreate).length
