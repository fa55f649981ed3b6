/** How a runner over a network comes to its pipe: what of the wire such a runner loads. */
import * as Redacted from "effect/Redacted"
import { awaitParent } from "./AwaitParent.ts"
import { dialParent } from "./DialParent.ts"
import type { Transport } from "../Transport.ts"

/** Dials the address, or waits at the port where there is none, for so many milliseconds. */
export const connectParent = (
  way: Readonly<Record<"address" | "listen" | "identity" | "key", string>>,
  patience: number,
  signal: AbortSignal
): Promise<Transport> => {
  const credentials = { identity: way.identity, key: Redacted.make(way.key, { label: "key" }), patience }
  return way.address === ""
    ? awaitParent({ ...credentials, port: Number(way.listen) }, signal)
    : dialParent({ ...credentials, addresses: way.address }, signal)
}
