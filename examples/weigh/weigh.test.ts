/** Tests the whole program on a small folder with good and bad packages, and its function alone in memory. */
import { spawn } from "node:child_process"
import { mkdtempSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { afterAll, beforeAll } from "vitest"
import { Flame, FlameLayer } from "effect-flame"
import { processes, until } from "../../test/fixtures/process/processes.ts"
import { Minifier } from "./Minifier.ts"
import { BrokenScript, Unreadable, weigh } from "./Weigh.ts"
import { weighLive } from "./WeighLive.ts"

const main = fileURLToPath(new URL("./main.ts", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "weigh-"))

const write = (path: string, text: string) => {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

beforeAll(() => {
  write("good/index.js", "export const answer = 6 * 7 // a comment that goes\n")
  write("good/README.md", "twelve bytes")
  write(
    "good/node_modules/inner/index.cjs",
    "module.exports = function longName(longParameter) { return longParameter }\n"
  )
  write("@scope/own/a.mjs", "export default 1\n")
  write("broken/index.js", "let = = 3\n")
  mkdirSync(join(folder, "gone"))
  // A link to a missing file cannot be read by any user, root included.
  symlinkSync("nowhere", join(folder, "gone/index.js"))
})
afterAll(() => rmSync(folder, { recursive: true }))

const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, ...env },
    // In a process group of its own, as a shell starts a program.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"]
  })
  let text = ""
  for (const output of [child.stdout, child.stderr]) output.on("data", (chunk) => (text += chunk))
  const ended = new Promise<{ readonly code: number | null; readonly text: string }>((resolve) => {
    child.once("close", (code) => resolve({ code, text }))
  })
  return { pid: child.pid!, ended, text: () => text }
}

/** Cuts the table out of a text: from the heading to the last package that could not be weighed. */
const tableOf = (text: string): string => text.slice(text.indexOf("package  "), text.lastIndexOf("\n\n"))

// Each test starts several processes, which is slow on a busy machine.
describe("examples/weigh", { timeout: 120_000 }, () => {
  it("prints the same table on runners and in one process, bad packages included", async () => {
    const [parallel, serial] = await Promise.all([run([folder]).ended, run([folder, "--serial"]).ended])
    assert.deepStrictEqual([parallel.code, serial.code], [0, 0])
    assert.strictEqual(tableOf(parallel.text), tableOf(serial.text))
    assert.match(parallel.text, /^good > inner +1 +0\.07 KiB +1 +0\.07 KiB/m)
    assert.match(parallel.text, /^good +2 +0\.06 KiB +1/m)
    assert.match(parallel.text, /^@scope\/own +1/m)
    assert.match(parallel.text, /^3 together +4/m)
    assert.include(parallel.text, "2 packages could not be weighed")
    assert.include(parallel.text, "  broken: index.js is not JavaScript: Unexpected token")
    assert.include(parallel.text, "  gone: index.js cannot be read: ENOENT")
    assert.match(parallel.text, /the pool: \d+ boots? of \d+ ms.*; 5 calls, 2 failed/)
    assert.notInclude(serial.text, "the pool")
  })

  it("prints the ratio of both times with --compare", async () => {
    const { code, text } = await run([folder, "--compare", "--runners", "1"]).ended
    assert.strictEqual(code, 0)
    assert.match(text, /both ways gave the same table: .* times as fast/)
  })

  it("names the folder in the error when the folder cannot be read", async () => {
    const missing = join(folder, "no/such/folder")
    const { code, text } = await run([missing]).ended
    assert.strictEqual(code, 1)
    assert.include(text, `${missing} cannot be read (NotFound): give the path of a node_modules folder`)
  })

  it("names the option in the error when its number is out of range", async () => {
    const wrong = [
      ["--runners", "0", "1"],
      ["--limit", "-1", "0"]
    ] as const
    for (const [flag, value, least] of wrong) {
      const { code, text } = await run([folder, flag, value]).ended
      assert.strictEqual(code, 1)
      assert.include(text, `Invalid value for flag ${flag}: "${value}". Expected: at least ${least}`)
      assert.notInclude(text, "weighing")
    }
  })

  it("exits with 1 when its runners fail", async () => {
    const env = { FLAME_BOOT_TIMEOUT: "1 millis", FLAME_TIMEOUT: "100 millis" }
    const { code, text } = await run([folder, "--limit", "1"], env).ended
    assert.strictEqual(code, 1)
    assert.include(text, "1 package could not be weighed because runners failed")
  })

  it("leaves no process behind after Ctrl-C", async () => {
    const script = Array.from({ length: 20_000 }, (_, i) => `export const name${i} = "${(i * 7919) % 10_007}"\n`).join(
      ""
    )
    for (let i = 0; i < 60; i++) write(`large/${i}.js`, script)
    const { ended, pid, text: soFar } = run([folder])
    await until(() => /\d+\/\d+ packages?, [12] runner/.test(soFar()), "a runner works", 60_000)
    // A terminal sends the signal to the whole process group.
    process.kill(-pid, "SIGINT")
    const asked = performance.now()
    const { code, text } = await ended
    // Far less than `drainTimeout`: the program does not wait for calls in flight.
    assert.isBelow(performance.now() - asked, 15_000)
    assert.strictEqual(code, 130, text)
    assert.include(text, "stopped before the end")
    assert.throws(() => process.kill(-pid, 0), /ESRCH/)
    assert.deepStrictEqual(
      processes().filter(({ args }) => args.includes(`effect-flame-reaper ${pid}`)),
      []
    )
  })
})

describe("the function weigh", () => {
  // In memory, with a mock of the minifier: the code of the example is tested, not oxc.
  const Half = Layer.succeed(Minifier, {
    minify: (file, source) =>
      source.includes("= =")
        ? Effect.fail(new BrokenScript({ file, problem: "half of it is missing" }))
        : Effect.succeed(source.slice(0, source.length / 2))
  })
  const Test = FlameLayer.test([weighLive]).pipe(Layer.provide(Half))

  it.live("adds up the files of a package", () =>
    Effect.gen(function* () {
      const { brotli, ...rest } = yield* Flame.call(weigh, { folder: join(folder, "good") })
      assert.deepStrictEqual(rest, { files: 2, bytes: 63, scripts: 1, raw: 51, minified: 25 })
      assert.isAbove(brotli, 0)
    }).pipe(Effect.provide(Test))
  )

  it.live("fails with the name of the script that does not parse, or of the file that cannot be read", () =>
    Effect.gen(function* () {
      const errors = yield* Effect.forEach(["broken", "gone", "missing"], (name) =>
        Effect.flip(Flame.call(weigh, { folder: join(folder, name) }))
      )
      assert.deepStrictEqual(errors, [
        new BrokenScript({ file: "index.js", problem: "half of it is missing" }),
        new Unreadable({ file: "index.js", problem: "ENOENT" }),
        new Unreadable({ file: ".", problem: "ENOENT" })
      ])
    }).pipe(Effect.provide(Test))
  )
})
