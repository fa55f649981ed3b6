/** How the process of a runner came to serve, told to its parent when it says Hello. */
import type { HelloSteps } from "../wire/Handshake.ts"

/** Milliseconds since this process began. `performance` is not loaded yet, and takes a millisecond of CPU. */
const sinceStart = (): number => process.uptime() * 1_000

/** Of a process that was started without our option of Node, the first it knows is that this is loaded. */
const importing: number =
  (globalThis as { [key: symbol]: { readonly at?: number } | undefined })[Symbol.for("effect-flame/role")]?.at ??
  sinceStart()

let imported: number | undefined

/** The program of this process is loaded, and begins to run; the first time counts. */
export const ran = (): void => {
  imported ??= sinceStart()
}

/** The steps up to now. */
export const now = (): HelloSteps => {
  const said = sinceStart()
  return { importing: round(importing), imported: round(imported ?? said), said: round(said) }
}

const round = (millis: number): number => Math.round(millis * 10) / 10
