/**
 * The parent of a hub: the pod that this process runs in, and the identity that names and finds the parent's objects.
 *
 * A parent outside the cluster has no pod. Its identity is then made of the host, the user and the program.
 */
import { hostname, userInfo } from "node:os"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { type BootFailure, InvalidSpec } from "../../error/BootFailure.ts"
import type { KubeClient } from "../api/KubeClient.ts"
import type { Self } from "../api/KubeConnection.ts"
import type { KubeError } from "../api/KubeError.ts"
import * as ObjectNames from "../object/ObjectNames.ts"
import * as OwnContainer from "../template/OwnContainer.ts"
import * as PodParent from "../template/PodParent.ts"
import * as DialBack from "./DialBack.ts"

/** Options that say which process the parent is, and at which addresses its runners reach it. */
export interface ParentOptions {
  /**
   * Addresses at which runners reach this process, with or without a port. Default: the address of its own pod. A parent
   * outside the cluster that gives none reaches its runners through the port-forward of the API server.
   */
  readonly advertise?: string | ReadonlyArray<string>
  /** The port that runners dial. Default 9345. Each process of a pod needs its own. */
  readonly port?: number
  /** Name of the container of the parent's pod in which this program runs. */
  readonly container?: string
  /** Distinguishes processes in one container. Default: the variable `FLAME_INSTANCE`, else `0`. */
  readonly instance?: string
  /**
   * Name of the program, for a parent outside the cluster. The same user who starts the program again finds its
   * leftovers by this name.
   */
  readonly program?: string
}

type Client = Context.Service.Shape<typeof KubeClient>

/** Labels of the identities of all hubs: a second hub of the same parent takes another one. */
const taken = new Set<string>()

/** Milliseconds that the own pod may take to have an address. */
const addressTime = 10_000

/**
 * Finds the pod that this process runs in. Undefined outside the cluster.
 *
 * `refused` maps an error of the API server to the failure of the start. Fails with `InvalidSpec` if the pod is in another
 * namespace than the runners, or is a later pod of its name.
 */
export const find = Effect.fnUntraced(function* (
  client: Client,
  options: ParentOptions,
  refused: (error: KubeError) => Effect.Effect<never, BootFailure>
) {
  const self = client.self ?? (isInCluster(client) ? downward() : undefined)
  if (self === undefined) return undefined
  const { name, namespace = client.namespace, uid } = self
  if (namespace !== client.namespace) return yield* Effect.fail(elsewhere(name, namespace, client.namespace))
  const read = client.getPod(name).pipe(Effect.catch(refused))
  let pod = yield* read
  const until = (yield* Clock.currentTimeMillis) + addressTime
  // The kubelet may report the address after it has started the program.
  while (
    DialBack.given(options) === undefined &&
    DialBack.addressesOf(pod).length === 0 &&
    (yield* Clock.currentTimeMillis) < until
  ) {
    yield* Effect.sleep(200)
    pod = yield* read
  }
  if (uid !== undefined && pod.metadata.uid !== uid) {
    const detail = `pod ${name} is not the pod of this process (uid ${uid}), but a later one of its name, which would own the runners`
    return yield* Effect.fail(new InvalidSpec({ detail }))
  }
  const parent = PodParent.find(pod, options.container, OwnContainer.nameIn(pod, OwnContainer.read()))
  return parent instanceof InvalidSpec ? yield* Effect.fail(parent) : parent
})

/** The own pod by the downward API, where the token names none. */
const downward = (): (Partial<Self> & Pick<Self, "name">) | undefined => {
  const { POD_NAME: name, POD_NAMESPACE: namespace } = process.env
  return name === undefined ? undefined : { name, ...(namespace === undefined ? {} : { namespace }) }
}

/** Fails the start: a parent in another namespace cannot own the pods of its runners. */
const elsewhere = (name: string, own: string, namespace: string): InvalidSpec =>
  new InvalidSpec({
    detail: `this process is pod ${name} in namespace ${own}, and the option \`namespace\` is ${namespace}: an owner has to be in the namespace of its pods, so leave \`namespace\` out, or set it to ${own}`
  })

const isInCluster = ({ server }: Client): boolean => {
  const host = process.env["KUBERNETES_SERVICE_HOST"]
  return host !== undefined && host !== "" && server.includes(host)
}

/** Takes an identity that no other hub of this process has. */
export const takeIdentity = (
  parent: PodParent.ParentPod | undefined,
  options: ParentOptions
): ObjectNames.ParentIdentity => {
  const instance = options.instance ?? process.env["FLAME_INSTANCE"] ?? "0"
  for (let copy = 1; ; copy++) {
    const identity = named(parent, options, copy === 1 ? instance : `${instance}x${copy}`)
    if (taken.has(identity.label)) continue
    taken.add(identity.label)
    return identity
  }
}

/** Releases the identity, so that the next hub of this process may take it. */
export const releaseIdentity = ({ label }: ObjectNames.ParentIdentity): Effect.Effect<void> =>
  Effect.sync(() => taken.delete(label))

const named = (
  parent: PodParent.ParentPod | undefined,
  options: ParentOptions,
  instance: string
): ObjectNames.ParentIdentity =>
  parent === undefined
    ? ObjectNames.external(hostname(), userInfo().username, options.program ?? process.argv[1] ?? "", instance)
    : ObjectNames.inCluster(parent.pod.metadata.uid ?? "", parent.container.name, instance)
