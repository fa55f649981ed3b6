/** The flags that commands share, and the cluster that they select. */
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Flag from "effect/cli/Flag"
import type { KubeUnconfigured } from "../kubernetes/api/KubeError.ts"
import { forwardPort } from "../kubernetes/RunnerConnection.ts"
import type { Cluster } from "./cluster/Cluster.ts"
import * as ClusterLive from "./cluster/ClusterLive.ts"

export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print JSON (a stable, versioned schema)"),
  Flag.withDefault(false)
)

const Port = Schema.Int.check(
  Schema.isBetween({ minimum: 1, maximum: 65_535 }, { message: "Expected a port from 1 to 65535" })
)

export const port = Flag.Int("port").pipe(
  Flag.withDescription("Port that runners dial"),
  Flag.withSchema(Port),
  Flag.withDefault(forwardPort)
)

/** Flags that select a cluster and a namespace. */
export const target = {
  context: Flag.String("context").pipe(
    Flag.withMetavar("<name>"),
    Flag.withDescription("Context of the kubeconfig (default: its current context)"),
    Flag.optional
  ),
  namespace: Flag.String("namespace").pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("<name>"),
    Flag.withDescription("Namespace (default: that of the context or of this pod)"),
    Flag.optional
  ),
  kubeconfig: Flag.String("kubeconfig").pipe(
    Flag.withMetavar("<file>"),
    Flag.withDescription("Kubeconfig (default: KUBECONFIG, this pod's service account, ~/.kube/config)"),
    Flag.optional
  )
}

/** Flags of commands that look at parents, on this machine too. */
export const found = {
  ...target,
  local: Flag.Boolean("local").pipe(
    Flag.withDescription("Parents of this machine only: ask no cluster"),
    Flag.withDefault(false)
  )
}

/** The values of `target`. */
export interface Target {
  readonly context: Option.Option<string>
  readonly namespace: Option.Option<string>
  readonly kubeconfig: Option.Option<string>
}

/** Optional flags as the options of a function: only those that were given. */
export const given = <A extends Readonly<Record<string, Option.Option<unknown>>>>(
  flags: A
): { readonly [K in keyof A]?: Option.Option.Value<A[K]> } =>
  Object.fromEntries(
    Object.entries(flags).flatMap(([name, value]) => (Option.isSome(value) ? [[name, value.value]] : []))
  ) as { readonly [K in keyof A]?: Option.Option.Value<A[K]> }

/** The cluster that flags select. */
export const clusterOf = ({ context, kubeconfig, namespace }: Target): Layer.Layer<Cluster, KubeUnconfigured> =>
  ClusterLive.layer(given({ context, kubeconfig, namespace }))
