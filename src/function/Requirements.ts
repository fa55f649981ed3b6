/**
 * Requirements that are checked first: a Node that is new enough, a system and a runtime that can have
 * runners, and one copy of effect.
 */
import * as Schema from "effect/Schema"

/** The oldest Node that runs this library. */
const oldest = [22, 19] as const

/** Throws one sentence if Node is too old. A later failure would not name the cause. */
export const checkNode = (version: string = process.versions.node): void => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return
  throw new Error(
    `effect-flame needs Node ${oldest.join(".")} or newer, this is Node ${version}: run the program on a newer one`
  )
}

/** The runtime and the system of a process. */
export interface Host {
  readonly system: string
  readonly runtime: string
}

/** The runtime and the system of this process. */
export const host = (): Host => {
  const { bun, deno } = process.versions as { readonly bun?: string; readonly deno?: string }
  return { system: process.platform, runtime: bun !== undefined ? "Bun" : deno !== undefined ? "Deno" : "Node" }
}

/** Why runners cannot be child processes here. Undefined if they can. */
export const noProcesses = ({ system } = host()): string | undefined =>
  system === "win32"
    ? "effect-flame runs on Linux and macOS, this is Windows: run the program in WSL 2 or in a container"
    : undefined

/** Why runners cannot be pods here, whose connections need TLS with a pre-shared key. Undefined if they can. */
export const noPods = (here: Host = host()): string | undefined =>
  here.runtime === "Node"
    ? noProcesses(here)
    : `runners as pods need Node, this is ${here.runtime}, which has no TLS with pre-shared keys: run the program on Node, or use FlameLayer.local`

/** Throws if a schema was made by another copy of effect: `instanceof` and tags of its values differ from ours. */
export const checkCopy = (name: string, schema: Schema.Top): void => {
  if (rootOf(schema.ast) === rootOf(Schema.Void.ast)) return
  throw new Error(
    `function ${name}: a schema of it comes from another copy of effect than effect-flame uses; see \`npm ls effect\`, and keep one version in the tree`
  )
}

// The prototype that all schema nodes of one copy share.
const rootOf = (node: object): unknown => {
  let root: unknown
  for (let next: unknown = node; next !== null && next !== Object.prototype; next = Object.getPrototypeOf(next))
    root = next
  return root
}
