/**
 * Runs the program to its end, until a word is seen, and on a missing file. With `--kubernetes`: on pods.
 */
import { strict as assert } from "node:assert"
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { onCluster, type There } from "../cluster.ts"
import { writeText } from "./Text.ts"

const main = fileURLToPath(new URL("./main.ts", import.meta.url))

/** Checks the program with its runners there. Without `file` the program generates a text. */
const check = ({ args: where, env }: There, ...file: ReadonlyArray<string>): void => {
  const run = (...args: ReadonlyArray<string>) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [main, ...where, ...args], {
      encoding: "utf8",
      env,
      timeout: 120_000
    })
    return { status, stderr, lines: stdout.trimEnd().split("\n") }
  }

  const whole = run(...file)
  assert.equal(whole.status, 0, whole.stderr)
  assert.equal(whole.lines.at(-1), "done")
  const counted = whole.lines.map((line) => Number(/: (\d+) lines/.exec(line)?.[1])).filter((n) => !Number.isNaN(n))
  assert.deepEqual(
    counted.slice(0, 10),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => n * 20_000)
  )
  assert.match(whole.lines.at(-2)!, /^100 %: 200000 lines, 1299984 words; the \d+/)
  console.log("ok: progress arrives in order, and the complete count at the end")

  const enough = run("--until", "the", ...file)
  assert.equal(enough.status, 0, enough.stderr)
  assert.deepEqual([enough.lines.length, enough.lines.at(-1)], [2, "seen enough of the"])
  console.log("ok: the function stops when its reader takes no more")

  const missing = run("/nowhere/at/all.txt")
  assert.equal(missing.status, 1)
  assert.match(missing.stderr + missing.lines.join("\n"), /there is no file \/nowhere\/at\/all\.txt/)
  console.log("ok: a missing file fails with the function's own error")
}

if (process.argv.includes("--kubernetes")) {
  const add = (folder: string) => writeText(join(folder, "text.txt"), 200_000)
  await onCluster("stream", main, add, (there) => check(there, "/app/text.txt"))
} else {
  const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith("flame-stream-"))
  const before = left()
  check({ args: [], env: process.env })
  assert.deepEqual(left(), before, "nothing is left of the generated text")
}
