import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { variables } from "../src/process/RoleVariables.ts"
import { fixture, spec } from "./fixtures/process/kit.ts"
import { until } from "./fixtures/process/processes.ts"

/** Runs the fixture; `after(line)` waits for a line of its output, `end` for its end. */
const run = (how: string, role: "parent" | "runner" = "parent") => {
  const env = { ...process.env, ...(role === "runner" ? variables(spec, process.pid) : {}) }
  const child = spawn(process.execPath, [fileURLToPath(fixture("main.ts")), how], {
    env,
    stdio: ["ignore", "pipe", "pipe"]
  })
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (chunk) => {
    stdout += chunk
  })
  child.stderr.on("data", (chunk) => {
    stderr += chunk
  })
  const closed = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal }))
  )
  return {
    child,
    after: (line: string) => until(() => stdout.split("\n").includes(line), `it says ${line}`),
    end: async () => ({ ...(await closed), said: stdout.trimEnd().split("\n"), stderr })
  }
}

describe("runMain", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("[C61] drains on %s, then interrupts, and exits with 0", async (signal) => {
    const { after, child, end } = run("drains")
    await after("running")
    child.kill(signal)
    const { code, said } = await end()
    assert.strictEqual(code, 0)
    assert.includeMembers(said, ["drained one", "drained another"])
    assert.strictEqual(said.at(-1), "finalized")
    assert.notInclude(said.join(), "never run")
    assert.include(said.join(), "a drain that dies")
  })

  it("[C61] interrupts at once on a second signal", async () => {
    const { after, child, end } = run("hangs")
    await after("running")
    child.kill("SIGTERM")
    await after("draining")
    child.kill("SIGINT")
    const { code, said } = await end()
    const words = said.map((line) => (line.includes("stopping: ") ? "stopping" : line))
    assert.sameMembers(words, ["running", "stopping", "draining", "given up", "finalized"])
    assert.strictEqual(code, 130)
  })

  it("exits with 0 on a signal where nothing drains", async () => {
    const { after, child, end } = run("none")
    await after("running")
    child.kill("SIGINT")
    const { code, said } = await end()
    assert.deepStrictEqual({ code, said }, { code: 0, said: ["running", "finalized"] })
  })

  it("ends the process when its program ends, whatever handles are open", async () => {
    const { code, said } = await run("ends").end()
    assert.deepStrictEqual({ code, said }, { code: 0, said: ["finalized"] })
  })

  it("logs an error and exits with 1", async () => {
    const { code, said } = await run("fails").end()
    assert.strictEqual(code, 1)
    assert.match(said.join("\n"), /ERROR.*no port left/)
  })

  it("[C60] of a runner leaves SIGINT to its parent, drains on SIGTERM and exits with 0", async () => {
    const { after, child, end } = run("drains", "runner")
    await after("running")
    child.kill("SIGINT")
    child.kill("SIGTERM")
    const { code, said } = await end()
    assert.strictEqual(code, 0)
    assert.includeMembers(said, ["drained one", "drained another"])
    assert.strictEqual(said.at(-1), "finalized")
  })

  it("of a runner that does not serve yet finalizes on SIGTERM and is told as killed by it", async () => {
    const { after, child, end } = run("none", "runner")
    await after("running")
    child.kill("SIGTERM")
    const { code, said, signal } = await end()
    assert.deepStrictEqual({ code, signal, said }, { code: null, signal: "SIGTERM", said: ["running", "finalized"] })
  })
})
