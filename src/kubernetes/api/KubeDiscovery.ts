/** Finds the API server: by a kubeconfig, or by the service account of a pod. */
import { accessSync } from "node:fs"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"
import * as Effect from "effect/Effect"
import * as InCluster from "./InCluster.ts"
import * as Kubeconfig from "./Kubeconfig.ts"
import type { KubeConnection } from "./KubeConnection.ts"
import { KubeUnconfigured } from "./KubeError.ts"

/**
 * Selects the API server.
 *
 * @since 0.1.0
 * @category options
 */
export interface DiscoveryOptions {
  /** A kubeconfig file. Default: the files of `KUBECONFIG`, then the pod's service account, then `~/.kube/config`. */
  readonly kubeconfig?: string
  /** A context of the kubeconfig. Default: its current context. With this option the service account is not used. */
  readonly context?: string
  /**
   * The namespace of the runners. Default: that of the service account or of the context, else `default`.
   *
   * For a parent in a pod this must be the namespace of the pod, because the pod owns the runners.
   */
  readonly namespace?: string
  /** The directory of the service account's files. Default `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly serviceAccount?: string
}

const exists = (path: string): boolean => {
  try {
    accessSync(path)
    return true
  } catch {
    return false
  }
}

/** Finds the API server. Fails with a list of the places that were looked at if there is none. */
export const make = (options: DiscoveryOptions = {}): Effect.Effect<KubeConnection, KubeUnconfigured> =>
  Effect.suspend(() => {
    const { context, kubeconfig, namespace } = options
    const chosen = { context, namespace }
    if (kubeconfig !== undefined) {
      return exists(kubeconfig)
        ? Kubeconfig.make([kubeconfig], chosen)
        : Effect.fail(new KubeUnconfigured({ detail: `the kubeconfig ${kubeconfig} cannot be read` }))
    }
    // Before the service account, as in kubectl, because somebody has set the variable on purpose.
    const named = (process.env.KUBECONFIG ?? "").split(delimiter).filter((path) => path !== "")
    const readable = named.filter(exists)
    if (readable.length > 0) return Kubeconfig.make(readable, chosen)

    const account = InCluster.find(options.serviceAccount)
    if (account.found && context === undefined) return InCluster.make(account, namespace)

    const home = join(homedir(), ".kube", "config")
    if (exists(home)) return Kubeconfig.make([home], chosen)

    const looked = [
      named.length > 0 ? `KUBECONFIG names ${named.join(" and ")}, which cannot be read` : "KUBECONFIG is not set",
      context === undefined ? account.missing : undefined,
      `there is no ${home}`
    ]
    return Effect.fail(new KubeUnconfigured({ detail: looked.filter((what) => what !== undefined).join("; ") }))
  })
