/**
 * Runs examples with their runners on pods, as somebody with a kubeconfig starts them. Each example checks that it
 * leaves nothing.
 */
import { spawn } from "node:child_process"
import { delimiter, dirname, join } from "node:path"
import { assert, describe, inject, it } from "vitest"

const examples = join(import.meta.dirname, "../../examples")

/** Runs the check of an example, and returns its exit code and output. */
const check = (name: string): Promise<readonly [code: number | null, text: string]> => {
  const { kube, kubeconfig, kubectl } = inject("cluster").tools
  const programs = [process.execPath, kubectl, ...(kube === undefined ? [] : [kube])].map((program) => dirname(program))
  const path = [...programs, process.env["PATH"]].join(delimiter)
  // The examples and the programs that they start import the package by its name. This condition resolves the name to
  // src, not to an old build.
  const options = `${process.env["NODE_OPTIONS"] ?? ""} --conditions=effect-flame-source`
  const child = spawn(process.execPath, [join(examples, name, "check.ts"), "--kubernetes"], {
    env: { ...process.env, KUBECONFIG: kubeconfig, PATH: path, NODE_OPTIONS: options },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let text = ""
  for (const output of [child.stdout, child.stderr]) output.on("data", (chunk: Buffer) => (text += String(chunk)))
  return new Promise((resolve) => child.on("close", (code) => resolve([code, text])))
}

describe("an example with the flag --kubernetes", () => {
  it.each(["stream", "place"])("works on pods as on child processes: %s", async (name) => {
    const [code, text] = await check(name)
    assert.strictEqual(code, 0, text)
    assert.match(text, /^(ok: .+\n)+$/)
  })
})
