/** Where runners dial their parent: a listener of this process, and the addresses at which pods find it. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { ApiUnavailable, type BootFailure, InvalidSpec } from "../BootFailure.ts"
import { life } from "../runner/Life.ts"
import * as Listener from "../wire/Listener.ts"
import * as Advertise from "./Advertise.ts"
import type { Pod } from "./Kube.ts"

export interface Reach {
  readonly listener: Listener.Listener
  readonly address: string
}

export interface ReachOptions {
  readonly advertise?: string | ReadonlyArray<string>
  readonly port?: number
}

/** The addresses that were given, which are not looked for then. */
export const given = ({ advertise }: ReachOptions): string | ReadonlyArray<string> | undefined =>
  advertise ?? process.env["FLAME_ADVERTISE"]

/** Those that the own pod has so far. */
export const addressesOf = (pod: Pod): ReadonlyArray<string> => {
  const own = process.env["POD_IP"]
  return own === undefined || own === "" ? Advertise.podIPs(pod) : own.split(",")
}

/** Listens until the scope ends; undefined for a parent outside the cluster that gives no address: nobody can dial it. */
export const open: (
  pod: Pod | undefined,
  options: ReachOptions,
  master: Redacted.Redacted<Uint8Array>
) => Effect.Effect<Reach | undefined, BootFailure, Scope.Scope> = Effect.fnUntraced(function* (pod, options, master) {
  const advertised = given(options)
  if (advertised === undefined && pod === undefined) return undefined
  const places =
    advertised === undefined
      ? addressesOf(pod!).map((host) => ({ host, port: undefined }))
      : Advertise.parse(advertised)
  if (places instanceof InvalidSpec) return yield* Effect.fail(places)
  if (places.length === 0) {
    return yield* Effect.fail(
      new ApiUnavailable({
        detail: `the parent's pod ${pod?.metadata.name} has no address yet; set \`advertise\` where it never gets one`
      })
    )
  }
  const listener = yield* Effect.mapError(
    Listener.make({
      master,
      life,
      port: options.port ?? Listener.defaultPort,
      // on the host's network another parent may have the port, and no policy names ports there
      orAnyPort: options.port === undefined && pod?.spec.hostNetwork === true
    }),
    (error) => new InvalidSpec({ detail: error.message })
  )
  const address = places.map(({ host, port }) => Advertise.withPort(host, port ?? listener.port)).join(",")
  return { listener, address }
})
