/** Addresses at which a parent listens, as text in a variable of its runners. */
import type * as Os from "node:os"
import { builtin } from "../../function/Builtin.ts"

/** A host and a port. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Parses addresses from a text. Addresses of families that this machine has come first. */
export const parse = (text: string, families?: ReadonlySet<number>): ReadonlyArray<Address> => {
  const addresses = text.split(",").flatMap((part): Array<Address> => {
    const match = /^\s*(?:\[([^\]]+)\]|([^:\s]+)):(\d+)\s*$/.exec(part)
    const host = match?.[1] ?? match?.[2]
    return host === undefined ? [] : [{ host, port: Number(match?.[3]) }]
  })
  if (addresses.length < 2) return addresses
  const own = families ?? ownFamilies()
  const isStrange = ({ host }: Address) => (own.has(builtin("node:net").isIP(host)) ? 0 : 1)
  return addresses.toSorted((a, b) => isStrange(a) - isStrange(b))
}

const ownFamilies = (): ReadonlySet<number> => {
  const own = Object.values(builtin("node:os").networkInterfaces()).flatMap((found) => found ?? [])
  const isWide = ({ address, internal }: Os.NetworkInterfaceInfo) => !internal && !address.startsWith("fe80:")
  return new Set(own.filter(isWide).map(({ family }) => (family === "IPv6" ? 6 : 4)))
}

/** An address as text, with an IPv6 address in brackets. */
export const shown = ({ host, port }: Address): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`)
