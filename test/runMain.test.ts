import { spawn } from "node:child_process"
import * as http from "node:http"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { variables } from "../src/process/RoleVariables.ts"
import { bundled } from "./fixtures/bundled.ts"
import { fixture, spec } from "./fixtures/process/kit.ts"
import { until } from "./fixtures/process/processes.ts"

const program = fileURLToPath(await bundled(fixture("main.ts")))

/** Runs the fixture. `after(line)` waits for a line of its output, `end` for its end. */
const run = (how: string, role: "parent" | "runner" = "parent", options: ReadonlyArray<string> = []) => {
  const env = { ...process.env, ...(role === "runner" ? variables(spec, process.pid) : {}) }
  const child = spawn(process.execPath, [...options, program, how], {
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

const codes = { SIGTERM: 143, SIGINT: 130 } as const

describe("runMain", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "[C61] [C220] drains on %s, interrupts a program that has not finished, and exits with the signal's code",
    async (signal) => {
      const { after, child, end } = run("drains")
      await after("running")
      child.kill(signal)
      const { code, said } = await end()
      assert.strictEqual(code, codes[signal])
      assert.includeMembers(said, ["drained one", "drained another"])
      assert.strictEqual(said.at(-1), "finalized")
      assert.notInclude(said.join(), "never run")
      assert.include(said.join(), "a drain that dies")
    }
  )

  it("[C61] interrupts at once on a second signal, and exits with its code", async () => {
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

  it("[C220] interrupts a program without pools on a signal, and exits with the signal's code", async () => {
    const { after, child, end } = run("none")
    await after("running")
    child.kill("SIGINT")
    const { code, said } = await end()
    assert.deepStrictEqual({ code, said }, { code: 130, said: ["running", "finalized"] })
  })

  const said = (lines: ReadonlyArray<string>) => lines.filter((line) => !line.includes("stopping: "))

  it("[C220] [C221] closes an app that is a Layer before pools drain, and exits with 0", async () => {
    const { after, child, end } = run("layer")
    await after("running")
    child.kill("SIGTERM")
    const ended = await end()
    assert.strictEqual(ended.code, 0)
    assert.deepStrictEqual(
      said(ended.said).filter((line) => line !== "finalized"),
      ["running", "closed", "drained"]
    )
  })

  it("[C220] [C221] drains pools when an app that is a Layer has not closed within the budget, and exits with 143", async () => {
    const { after, child, end } = run("slow layer")
    await after("running")
    child.kill("SIGTERM")
    const ended = await end()
    assert.deepStrictEqual([said(ended.said), ended.code], [["running", "drained", "finalized"], 143])
  })

  it("[C220] exits with 143 when calls of an app that is a Layer were cut", async () => {
    const { after, child, end } = run("cut layer")
    await after("running")
    child.kill("SIGTERM")
    assert.strictEqual((await end()).code, 143)
  })

  it("[C220] exits with 1 and logs the error when the program fails while pools drain", async () => {
    const { after, child, end } = run("fails late")
    await after("running")
    child.kill("SIGTERM")
    const ended = await end()
    assert.strictEqual(ended.code, 1)
    assert.match(ended.said.join("\n"), /ERROR.*no pool left/)
  })

  it("[C220] exits with 1 and logs the error when an app that is a Layer fails to close", async () => {
    const { after, child, end } = run("broken layer")
    await after("running")
    child.kill("SIGTERM")
    const ended = await end()
    assert.strictEqual(ended.code, 1)
    const text = ended.said.join("\n")
    assert.match(text, /ERROR.*no socket left/)
    assert.lengthOf(text.match(/no socket left/g) ?? [], 1)
  })

  it("[C220] exits with 0 when the program succeeds while pools drain", async () => {
    const { after, child, end } = run("ends late")
    await after("running")
    child.kill("SIGTERM")
    assert.strictEqual((await end()).code, 0)
  })

  it("ends the process when its program ends, although handles are open", async () => {
    const { code, said } = await run("ends").end()
    assert.deepStrictEqual({ code, said }, { code: 0, said: ["finalized"] })
  })

  it("logs the error of a program that failed, and exits with 1", async () => {
    const { code, said } = await run("fails").end()
    assert.strictEqual(code, 1)
    assert.match(said.join("\n"), /ERROR.*no port left/)
  })

  it("[C60] in a runner ignores SIGINT, which the parent handles, drains on SIGTERM and exits with 0", async () => {
    const { after, child, end } = run("drains", "runner")
    await after("running")
    child.kill("SIGINT")
    child.kill("SIGTERM")
    const { code, said } = await end()
    assert.strictEqual(code, 0)
    assert.includeMembers(said, ["drained one", "drained another"])
    assert.strictEqual(said.at(-1), "finalized")
  })

  it("in a runner that does not serve yet runs finalizers on SIGTERM, and the parent reports the signal", async () => {
    const { after, child, end } = run("none", "runner")
    await after("running")
    child.kill("SIGTERM")
    const { code, said, signal } = await end()
    assert.deepStrictEqual({ code, signal, said }, { code: null, signal: "SIGTERM", said: ["running", "finalized"] })
  })

  it("in a runner that is process 1, and whose signal to itself is dropped, exits with 143", async () => {
    const asFirst = "Object.defineProperty(process,'pid',{value:1});process.kill=()=>true"
    const { after, child, end } = run("none", "runner", [
      `--import=data:text/javascript,${encodeURIComponent(asFirst)}`
    ])
    await after("running")
    child.kill("SIGTERM")
    const { code, said } = await end()
    assert.deepStrictEqual({ code, said }, { code: 143, said: ["running", "finalized"] })
  })
})

/** The status of one request on its own connection. */
const get = (port: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const request = http.get({ port, agent: false }, (response) => {
      response.resume()
      response.once("end", () => resolve(response.statusCode))
    })
    request.once("error", reject)
  })

describe("the shutdown of an HTTP server that is the app of Flame.main", () => {
  /** Sends six requests, and SIGTERM while the first two run. */
  const stopped = async (drainTimeout: number) => {
    const child = spawn(process.execPath, [fileURLToPath(fixture("server.ts")), `${drainTimeout}`], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    let stdout = ""
    child.stdout.on("data", (chunk) => {
      stdout += chunk
    })
    const closed = new Promise<number | null>((resolve) => child.once("close", resolve))
    const port = () => /^port (\d+)$/m.exec(stdout)?.[1]
    await until(() => port() !== undefined, "it listens")
    try {
      assert.strictEqual(await get(port()!), 200)
      const answers = Array.from({ length: 6 }, () => get(port()!))
      await new Promise((resolve) => setTimeout(resolve, 200))
      child.kill("SIGTERM")
      return { statuses: await Promise.all(answers), code: await closed }
    } finally {
      child.kill("SIGKILL")
    }
  }

  it("[C221] answers all accepted requests, runs all their calls, and exits with 0", async () => {
    assert.deepStrictEqual(await stopped(30_000), { statuses: [200, 200, 200, 200, 200, 200], code: 0 })
  })

  it("[C221] cuts the remaining calls when the one budget is over, and exits with 143", async () => {
    const { code, statuses } = await stopped(500)
    assert.strictEqual(code, 143)
    assert.include(statuses, 500)
  })
})
