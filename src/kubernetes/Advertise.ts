/** Where runners dial their parent: what it is told, else the address of its own pod; never a guess among interfaces. */
import { isIP, isIPv6 } from "node:net"
import { InvalidSpec } from "../BootFailure.ts"
import type { Pod } from "./Kube.ts"

/** The addresses of a pod, as far as it has any. */
export const podIPs = (pod: Pod | undefined): ReadonlyArray<string> => {
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
export const parse = (
  advertise: string | ReadonlyArray<string>
): ReadonlyArray<{ readonly host: string; readonly port: number | undefined }> | InvalidSpec => {
  const parsed = []
  for (const text of typeof advertise === "string" ? advertise.split(",") : advertise) {
    const place = one(text.trim())
    if (place === undefined) {
      return new InvalidSpec({
        detail: `the option advertise is to be an address or host name, with a port or without, such as 10.0.0.5, [fd00::5]:9345 or laptop.example:9345; it is ${JSON.stringify(text)}`
      })
    }
    parsed.push(place)
  }
  return parsed
}

const one = (text: string): { readonly host: string; readonly port: number | undefined } | undefined => {
  if (isIP(text) !== 0) return { host: text, port: undefined }
  const found = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[A-Za-z0-9.-]+))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups
  const host = found?.["v6"] ?? found?.["host"]
  if (host === undefined || (found?.["v6"] !== undefined && !isIPv6(host))) return undefined
  const port = found?.["port"] === undefined ? undefined : Number(found["port"])
  return port === 0 || (port ?? 0) > 65_535 ? undefined : { host, port }
}
