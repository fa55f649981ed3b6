/**
 * The cluster for the commands: the client of the Kubernetes backend, and reads of resources that the backend never reads.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { KubeClient } from "../../kubernetes/api/KubeClient.ts"
import type { KubeError } from "../../kubernetes/api/KubeError.ts"
import type { Metadata } from "../../kubernetes/object/KubeObjects.ts"
import type { Resource } from "./Resources.ts"

/** An object of any resource. */
export interface KubeObject {
  readonly metadata: Metadata
}

/** The version of a server that does not tell one. */
export const noVersion = "unknown"

/** Selects lines of a pod's log. */
export interface LogOptions {
  readonly container: string
  /** Whether the stream goes on until the container ends. */
  readonly follow: boolean
  /** Lines of the last seconds only. */
  readonly sinceSeconds?: number
  /** The last lines only. */
  readonly tail?: number
}

/** The API server, as the command line uses it. All objects are in the namespace of `client`. */
export class Cluster extends Context.Service<
  Cluster,
  {
    readonly client: KubeClient["Service"]
    /** The version of the API server, such as `1.36.4`; `noVersion` for an answer without one. */
    readonly version: Effect.Effect<string, KubeError>
    /** When the user's token ends, in milliseconds since 1970; undefined without a token that tells it. */
    readonly tokenEnd: Effect.Effect<number | undefined>
    /** An object; undefined if there is none of that name. */
    readonly get: <A extends KubeObject>(resource: Resource, name: string) => Effect.Effect<A | undefined, KubeError>
    /** All objects that a label selector selects. Default: all objects. */
    readonly list: <A extends KubeObject>(
      resource: Resource,
      selector?: string
    ) => Effect.Effect<ReadonlyArray<A>, KubeError>
    /** The metadata of all objects that a label selector selects: the values of Secrets stay in the cluster. */
    readonly listMetadata: (
      resource: Resource,
      selector: string
    ) => Effect.Effect<ReadonlyArray<{ readonly metadata: Metadata }>, KubeError>
    /** Creates an object, such as a review. */
    readonly create: <A>(resource: Resource, body: object) => Effect.Effect<A, KubeError>
    /** Lines of a container's log. A line starts with its time in RFC 3339, and a space. */
    readonly logs: (pod: string, options: LogOptions) => Stream.Stream<string, KubeError>
  }
>()("effect-flame/cli/Cluster") {}
