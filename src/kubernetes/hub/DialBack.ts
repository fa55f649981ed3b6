/** Where runners dial their parent: a listener of this process, and the addresses at which pods find it. */
import { isIP, isIPv6 } from "node:net"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { ApiUnavailable, type BootFailure, InvalidSpec } from "../../error/BootFailure.ts"
import { life } from "../../process/Life.ts"
import * as Listener from "../../wire/network/Listener.ts"
import type { Pod } from "../object/KubeObjects.ts"

export interface DialBack {
  readonly listener: Listener.Listener
  readonly address: string
}

export interface DialBackOptions {
  readonly advertise?: string | ReadonlyArray<string>
  readonly port?: number
}

/** The addresses that were given, which are not looked for then. */
export const given = ({ advertise }: DialBackOptions): string | ReadonlyArray<string> | undefined =>
  advertise ?? process.env["FLAME_ADVERTISE"]

/** Those that the own pod has so far. */
export const addressesOf = (pod: Pod): ReadonlyArray<string> => {
  const own = process.env["POD_IP"]
  return own === undefined || own === "" ? podAddresses(pod) : own.split(",")
}

/** Listens until the scope ends; undefined for a parent outside the cluster that gives no address: nobody can dial it. */
export const open: (
  pod: Pod | undefined,
  options: DialBackOptions,
  master: Redacted.Redacted<Uint8Array>
) => Effect.Effect<DialBack | undefined, BootFailure, Scope.Scope> = Effect.fnUntraced(
  function* (pod, options, master) {
    const advertised = given(options)
    if (advertised === undefined && pod === undefined) return undefined
    const places =
      advertised === undefined
        ? addressesOf(pod!).map((host) => ({ host, port: undefined }))
        : parseAdvertise(advertised)
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
    const address = places.map(({ host, port }) => withPort(host, port ?? listener.port)).join(",")
    return { listener, address }
  }
)

/** The addresses of a pod, as far as it has any. */
export const podAddresses = (pod: Pod | undefined): ReadonlyArray<string> => {
  const { podIP, podIPs = [] } = pod?.status ?? {}
  const all = podIPs.map(({ ip }) => ip)
  return all.length > 0 ? all : podIP === undefined ? [] : [podIP]
}

/** A host with a port, an IPv6 address in brackets. */
export const withPort = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

/**
 * What the option `advertise` says: hosts or addresses, each with a port of its own where it is reached through a port
 * that is forwarded to ours.
 */
export const parseAdvertise = (
  advertise: string | ReadonlyArray<string>
): ReadonlyArray<{ readonly host: string; readonly port: number | undefined }> | InvalidSpec => {
  const parsed = []
  for (const text of typeof advertise === "string" ? advertise.split(",") : advertise) {
    const place = parseOne(text.trim())
    if (place === undefined) {
      return new InvalidSpec({
        detail: `the option advertise is to be an address or host name, with a port or without, such as 10.0.0.5, [fd00::5]:9345 or laptop.example:9345; it is ${JSON.stringify(text)}`
      })
    }
    parsed.push(place)
  }
  return parsed
}

const parseOne = (text: string): { readonly host: string; readonly port: number | undefined } | undefined => {
  if (isIP(text) !== 0) return { host: text, port: undefined }
  const found = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[A-Za-z0-9.-]+))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups
  const host = found?.["v6"] ?? found?.["host"]
  if (host === undefined || (found?.["v6"] !== undefined && !isIPv6(host))) return undefined
  const port = found?.["port"] === undefined ? undefined : Number(found["port"])
  return port === 0 || (port ?? 0) > 65_535 ? undefined : { host, port }
}
