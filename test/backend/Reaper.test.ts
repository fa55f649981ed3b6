/**
 * Tests that nothing is left of a parent's runners after the parent's death, for every way in which programs are run.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, assert, describe, it } from "@effect/vitest"
import { rolldown } from "rolldown"
import { fixture } from "../fixtures/process/kit.ts"
import { alive, processes, until } from "../fixtures/process/processes.ts"

interface Family {
  readonly pid: number
  readonly runners: ReadonlyArray<number>
  readonly reaper: number
}

/** The file in which Linux keeps the last process id that it gave out. Root can write it. */
const lastPid = "/proc/sys/kernel/ns_last_pid"
const canChoosePids = ((): boolean => {
  try {
    accessSync(lastPid, constants.W_OK)
    return true
  } catch {
    return false
  }
})()

const started = new Set<ChildProcess>()
const folders = new Set<string>()

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), "effect-flame-"))
  folders.add(path)
  return path
}

afterEach(() => {
  for (const child of started) child.kill("SIGKILL")
  started.clear()
  for (const path of folders) rmSync(path, { recursive: true })
  folders.clear()
})

/** Starts a parent with these options of Node, and waits until its runners have answered. */
const start = async (
  args: ReadonlyArray<string>,
  options: {
    readonly nodeArgs?: ReadonlyArray<string>
    readonly program?: string
    readonly env?: Record<string, string>
  } = {}
): Promise<{ readonly child: ChildProcess; readonly family: Family; readonly next: () => Promise<Family> }> => {
  const program = options.program ?? fileURLToPath(fixture("parent.ts"))
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), program, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...options.env }
  })
  started.add(child)
  let text = ""
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8")
  })
  let seen = 0
  const next = async () => {
    const line = await until(
      () =>
        text
          .split("\n")
          .slice(0, -1)
          .filter((line) => line.startsWith("{"))[seen],
      "it boots"
    )
    seen++
    return JSON.parse(line) as Family
  }
  return { child, family: await next(), next }
}

const all = ({ pid, reaper, runners }: Family) => [pid, reaper, ...runners]

const ended = (pids: ReadonlyArray<number>, what: string) => until(() => alive(pids).length === 0, what)

describe("the reaper", () => {
  it("[C51] kills runners with a blocked event loop after the SIGKILL of their parent, and then ends", async () => {
    const grace = 2_000
    const { family } = await start([fixture("probe.ts").href, "3", "block"], { env: { GRACE: `${grace}` } })
    assert.sameMembers([...alive(all(family))], all(family))
    const killedAt = performance.now()
    process.kill(family.pid, "SIGKILL")
    await ended([family.pid], "the parent is gone")
    const left = alive(family.runners)
    // Blocked runners get the same grace as healthy ones. On a slow machine the test may look after it.
    if (performance.now() - killedAt < grace) assert.sameMembers([...left], [...family.runners])
    await ended(all(family), "runners and reaper are gone")
  })

  it("[C51] kills nothing when runners end by themselves with their connection", async () => {
    const { family } = await start([fixture("probe.ts").href, "2"])
    process.kill(family.pid, "SIGKILL")
    await ended(all(family), "all are gone")
    assert.deepStrictEqual(alive(all(family)), [])
  })

  it("survives signals that a terminal or an init system sends to all processes", async () => {
    const { family } = await start([fixture("probe.ts").href, "1", "deaf", "block"])
    for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) process.kill(family.reaper, signal)
    process.kill(family.pid, "SIGKILL")
    await ended(all(family), "runner and reaper are gone")
    assert.deepStrictEqual(alive(all(family)), [])
  })

  it("does not keep a program running that has no runners left", async () => {
    const { child, family } = await start([fixture("probe.ts").href, "2", "exit 0"])
    assert.strictEqual(await until(() => child.exitCode ?? undefined, "the parent ends by itself"), 0)
    await ended(all(family), "all are gone")
  })

  it.skipIf(!canChoosePids)("does not kill a process that has got the process id of an ended runner", async () => {
    const { family } = await start([fixture("probe.ts").href, "1", "block"], { env: { GRACE: "0" } })
    const runner = family.runners[0]!
    process.kill(family.reaper, "SIGSTOP")
    process.kill(family.pid, "SIGKILL")
    process.kill(runner, "SIGKILL")
    await until(() => !processes().some(({ pid }) => pid === runner), "the runner's number is free")
    const bystander = await until(() => {
      writeFileSync(lastPid, `${runner - 1}`)
      const child = spawn("sleep", ["60"])
      started.add(child)
      return child.pid === runner && child
    }, "another process has that number")
    process.kill(family.reaper, "SIGCONT")
    await ended([family.pid, family.reaper], "the reaper is gone")
    assert.deepStrictEqual(alive([runner]), [runner])
    assert.isNull(bystander.exitCode)
  })
})

describe("a parent that is started", () => {
  it("with a loader of its own passes that loader to its runners", async () => {
    const directory = folder()
    const mark = join(directory, "mark")
    const loader = join(directory, "loader.mjs")
    writeFileSync(loader, `import fs from "node:fs"; fs.appendFileSync(${JSON.stringify(mark)}, process.pid + "\\n")`)
    const { family } = await start([fixture("probe.ts").href, "2"], { nodeArgs: ["--import", loader] })
    const pids = readFileSync(mark, "utf8").trim().split("\n").map(Number)
    assert.sameMembers(pids, [family.pid, ...family.runners])
  })

  it("from a bundled file boots runners from another bundled file, without the package beside them", async () => {
    const directory = folder()
    const bundle = async (name: string, file: string) => {
      const build = await rolldown({ input: fileURLToPath(fixture(name)), platform: "node" })
      await build.write({ file: join(directory, file), format: "esm", codeSplitting: false })
      await build.close()
    }
    await bundle("parent.ts", "app.mjs")
    await bundle("role.ts", "runner.mjs")
    await bundle("probe.ts", "probe.mjs")
    assert.isFalse(existsSync(join(directory, "node_modules")))
    const { family } = await start([join(directory, "probe.mjs"), "1"], { program: join(directory, "app.mjs") })
    assert.strictEqual(alive(family.runners).length, 1)
    process.kill(family.pid, "SIGKILL")
    await ended(all(family), "all are gone")
  })

  it("under `node --watch` boots runners that do not watch, and none of the former run is left after a change", async () => {
    const directory = folder()
    const touched = join(directory, "program.ts")
    writeFileSync(touched, `import ${JSON.stringify(fixture("parent.ts").href)}\n`)
    const {
      child: watcher,
      family,
      next
    } = await start([fixture("probe.ts").href, "2"], { nodeArgs: ["--watch"], program: touched })
    assert.strictEqual(processes().find(({ pid }) => pid === family.pid)?.ppid, watcher.pid)
    const options = processes()
      .filter(({ pid }) => family.runners.includes(pid))
      .map(({ args }) => args)
    for (const args of options) assert.notInclude(args, "--watch")
    writeFileSync(touched, `import ${JSON.stringify(fixture("parent.ts").href)} // changed\n`)
    const again = await next()
    assert.notStrictEqual(again.pid, family.pid)
    await ended(all(family), "the former run is gone")
    watcher.kill("SIGKILL")
    process.kill(again.pid, "SIGKILL")
    await ended(all(again), "all are gone")
  })
})
