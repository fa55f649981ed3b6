/**
 * The runner's side of a connection over a network: dials the parent (`DialParent.ts`), or waits until the parent connects
 * (`AwaitParent.ts`).
 *
 * `process/Role.ts` imports this module only for such a runner, so that the boot of a local runner does not load TLS.
 */
import * as Redacted from "effect/Redacted"
import { awaitParent } from "./AwaitParent.ts"
import { dialParent } from "./DialParent.ts"
import type { Transport } from "../Transport.ts"

/**
 * Dials `address`, or listens on port `listen` if `address` is empty. `patience`: milliseconds until the attempt fails.
 */
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
