/** A cluster in memory: the pods of `KubeMock`, and any other objects that a test puts into it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Cluster, type KubeObject } from "../../../src/cli/cluster/Cluster.ts"
import type { Resource } from "../../../src/cli/cluster/Resources.ts"
import { selects } from "../../../src/cli/cluster/Selectors.ts"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import { KubeError } from "../../../src/kubernetes/api/KubeError.ts"
import { KubeMock } from "../../../src/testing/KubeMock.ts"

export interface MemoryOptions {
  /** Objects by the name of their resource. */
  readonly objects?: Readonly<Record<string, ReadonlyArray<KubeObject & Readonly<Record<string, unknown>>>>>
  /** Changes the client of the mock. */
  readonly client?: (client: KubeClient["Service"]) => Partial<KubeClient["Service"]>
  /** Requests that fail, by verb and resource, such as `list secrets`. */
  readonly failing?: Readonly<Record<string, KubeError>>
  /** The answers to reviews of rights, by verb and resource. Default: allowed. */
  readonly may?: (verb: string, resource: string) => boolean
  /** Default: that of a recent API server. */
  readonly version?: string
  /** The end of the user's token, in milliseconds since 1970. */
  readonly tokenEnd?: number
  readonly logs?: Readonly<Record<string, ReadonlyArray<string>>>
}

export const refusal = (verb: string, resource: string, status: number, detail: string, reason = "Forbidden") =>
  new KubeError({ verb, resource, status, reason, detail, retryable: false, server: "https://memory" })

const labelsOf = (selector: string) =>
  Object.fromEntries(selector.split(",").flatMap((each) => (each === "" ? [] : [each.split("=") as [string, string]])))

export const layer = (options: MemoryOptions = {}): Layer.Layer<Cluster | KubeMock | KubeClient> => {
  const { failing = {}, logs = {}, may = () => true, objects = {} } = options
  const make = Effect.gen(function* () {
    const mock = yield* KubeMock
    const base = yield* KubeClient
    const client = { ...base, ...options.client?.(base) }
    const asked = <A>(verb: string, { name }: Resource, effect: Effect.Effect<A>) =>
      Effect.suspend(() => {
        const error = failing[`${verb} ${name}`]
        return error === undefined ? effect : Effect.fail(error)
      })
    const stored = ({ name }: Resource): Effect.Effect<ReadonlyArray<KubeObject>> => {
      const given = objects[name]
      if (given !== undefined) return Effect.succeed(given)
      return name === "pods"
        ? mock.pods
        : name === "secrets"
          ? mock.secrets
          : name === "jobs"
            ? mock.jobs
            : Effect.succeed([])
    }
    const all = (resource: Resource, selector = "") =>
      Effect.map(stored(resource), (items) =>
        items.filter(({ metadata }) => selects({ matchLabels: labelsOf(selector) }, metadata.labels ?? {}))
      )
    return Cluster.of({
      client,
      version: asked("get", { group: "", version: "", name: "version" }, Effect.succeed(options.version ?? "1.36.4")),
      tokenEnd: Effect.succeed(options.tokenEnd),
      get: (resource, name) =>
        asked(
          "get",
          resource,
          Effect.map(all(resource), (items) => items.find(({ metadata }) => metadata.name === name) as never)
        ),
      list: (resource, selector) => asked("list", resource, all(resource, selector)) as never,
      listMetadata: (resource, selector) => asked("list", resource, all(resource, selector)),
      create: (resource, body) =>
        asked(
          "create",
          resource,
          Effect.sync(() => {
            const { resourceAttributes } = (body as { readonly spec: any }).spec
            const { resource: name, subresource, verb } = resourceAttributes
            return { status: { allowed: may(verb, subresource === undefined ? name : `${name}/${subresource}`) } }
          })
        ) as never,
      logs: (pod) => Stream.fromIterable(logs[pod] ?? [])
    })
  })
  return Layer.provideMerge(Layer.effect(Cluster, make), KubeMock.layer({ namespace: "shop" }))
}
