/** Finds the way to the API server: the service account of a pod, or a kubeconfig. */
import { accessSync } from "node:fs"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"
import * as Effect from "effect/Effect"
import * as InCluster from "./InCluster.ts"
import * as Kubeconfig from "./Kubeconfig.ts"
import type { KubeConnection } from "./KubeConnection.ts"
import { KubeUnconfigured } from "./KubeError.ts"

/** Where to look for the API server. */
export interface Options {
  /** A kubeconfig file; where not given, those of `KUBECONFIG`, the pod's service account, then `~/.kube/config`. */
  readonly kubeconfig?: string
  /** A context of the kubeconfig; its current one where not given. With it the service account is not looked at. */
  readonly context?: string
  /**
   * The namespace of the runners; that of the service account or the context where not given, else `default`. For a parent
   * in a pod it has to be that of the pod, which owns them.
   */
  readonly namespace?: string
  /** The directory of the service account's files; `/var/run/secrets/kubernetes.io/serviceaccount` where not given. */
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

/** Finds the way to the API server; fails with what was looked for where there is none. */
export const make = (options: Options = {}): Effect.Effect<KubeConnection, KubeUnconfigured> =>
  Effect.suspend(() => {
    const { context, kubeconfig, namespace } = options
    const chosen = { context, namespace }
    if (kubeconfig !== undefined) {
      return exists(kubeconfig)
        ? Kubeconfig.make([kubeconfig], chosen)
        : Effect.fail(new KubeUnconfigured({ detail: `the kubeconfig ${kubeconfig} cannot be read` }))
    }
    // before the service account, as kubectl has it: somebody set it on purpose
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
