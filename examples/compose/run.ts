/** Runs one of the programs as a user does, for its check. */
import { strict as assert } from "node:assert"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** Runs a program of this folder to its end, which must be good, and gives what it printed. */
export const run = async (
  name: string,
  args: ReadonlyArray<string> = [],
  env: Readonly<Record<string, string>> = {}
): Promise<string> => {
  const main = fileURLToPath(new URL(`./${name}/main.ts`, import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, main, ...args], { env: { ...process.env, ...env } })
  let said = ""
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()))
  const status = await new Promise((resolve) => child.once("close", resolve))
  assert.equal(status, 0, said)
  return said
}
