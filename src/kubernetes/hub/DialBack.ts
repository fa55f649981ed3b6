/**
 * The parent's listener that runners dial, and the addresses at which their pods reach it.
 *
 * `RunnerConnection.ts` waits at the listener for one runner. `wire/network/DialParent.ts` dials it from the runner.
 */
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

/** The addresses that the option or `FLAME_ADVERTISE` names. They replace the addresses of the pod. */
export const given = ({ advertise }: DialBackOptions): string | ReadonlyArray<string> | undefined =>
  advertise ?? process.env["FLAME_ADVERTISE"]

/** The addresses of the parent's own pod so far, by `POD_IP` or the status of the pod. */
export const addressesOf = (pod: Pod): ReadonlyArray<string> => {
  const own = process.env["POD_IP"]
  return own === undefined || own === "" ? podAddresses(pod) : own.split(",")
}

/**
 * Listens until the scope closes. Undefined for a parent outside the cluster without an address: its runners are
 * reached through the API server. Fails with `InvalidSpec` if the option is no address or the port is taken.
 */
export const open: (
  pod: Pod | undefined,
  options: DialBackOptions,
  master: Redacted.Redacted<Uint8Array>
) => Effect.Effect<DialBack | undefined, BootFailure, Scope.Scope> = Effect.fnUntraced(
  function* (pod, options, master) {
    const advertised = given(options)
    if (advertised === undefined && pod === undefined) return undefined
    const targets =
      advertised === undefined
        ? addressesOf(pod!).map((host) => ({ host, port: undefined }))
        : parseAdvertise(advertised)
    if (targets instanceof InvalidSpec) return yield* Effect.fail(targets)
    if (targets.length === 0) {
      return yield* Effect.fail(
        new ApiUnavailable({
          detail: `pod ${pod?.metadata.name} of this process has no address yet; set \`advertise\` where it never gets one`
        })
      )
    }
    const listener = yield* Effect.mapError(
      Listener.make({
        master,
        life,
        port: options.port ?? Listener.defaultPort,
        // Pods on the host's network share its ports, and no NetworkPolicy names ports there.
        orAnyPort: options.port === undefined && pod?.spec.hostNetwork === true
      }),
      (error) => new InvalidSpec({ detail: error.message })
    )
    const address = targets.map(({ host, port }) => withPort(host, port ?? listener.port)).join(",")
    return { listener, address }
  }
)

/** The addresses of a pod by its status; empty before it has any. */
export const podAddresses = (pod: Pod | undefined): ReadonlyArray<string> => {
  const { podIP, podIPs = [] } = pod?.status ?? {}
  const all = podIPs.map(({ ip }) => ip)
  return all.length > 0 ? all : podIP === undefined ? [] : [podIP]
}

/** `host:port`, with an IPv6 address in brackets. */
export const withPort = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

/**
 * Parses the option `advertise`: hosts or addresses, in a text separated by commas. An entry has a port of its own if a
 * forwarded port leads to the listener.
 */
export const parseAdvertise = (
  advertise: string | ReadonlyArray<string>
): ReadonlyArray<{ readonly host: string; readonly port: number | undefined }> | InvalidSpec => {
  const parsed = []
  for (const text of typeof advertise === "string" ? advertise.split(",") : advertise) {
    const target = parseOne(text.trim())
    if (target === undefined) {
      return new InvalidSpec({
        detail: `the option \`advertise\` has to be an address or a host name, with or without a port, such as 10.0.0.5, [fd00::5]:9345 or laptop.example:9345; it is ${JSON.stringify(text)}`
      })
    }
    parsed.push(target)
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
