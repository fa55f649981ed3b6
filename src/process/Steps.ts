/** The steps by which the process of a runner came to serve. The runner sends them with its Hello. */
import type { HelloSteps } from "../wire/Handshake.ts"
import { onStart } from "./SnapshotStart.ts"

/** Milliseconds since this process began. `performance` is not loaded yet, and takes a millisecond of CPU. */
const sinceStart = (): number => process.uptime() * 1_000

/**
 * When the program began to load, as `preload` of `RoleVariables.ts` has noted it. A process that was started without
 * this option of Node takes the time at which this module loads.
 */
let importing = 0

onStart(() => {
  const taken = (globalThis as { [key: symbol]: { readonly at?: number } | undefined })[Symbol.for("effect-flame/role")]
  importing = taken?.at ?? sinceStart()
})

let imported: number | undefined

/** Records that the program of this process is loaded and begins to run. Only the first call counts. */
export const ran = (): void => {
  imported ??= sinceStart()
}

/** The steps up to now. */
export const now = (): HelloSteps => {
  const said = sinceStart()
  return { importing: round(importing), imported: round(imported ?? said), said: round(said) }
}

const round = (millis: number): number => Math.round(millis * 10) / 10
