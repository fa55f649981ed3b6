/**
 * Runs the program as a user does: plain, by a command in front of Node, by a command that does not start, and with code that
 * is sent to a place which has nothing but Node.
 */
import { strict as assert } from "node:assert"
import { execFileSync, spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { getPriority, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("./main.ts", import.meta.url))

const run = (...before: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [main, ...before], { encoding: "utf8", timeout: 120_000 })

const plain = run()
assert.equal(plain.status, 0, plain.stderr)
// Runners inherit the priority of this check, which may itself run under `nice`.
const own = getPriority()
assert.match(plain.stdout, new RegExp(`^17984 primes below 200000, by runners of priority ${own}$`, "m"))
console.log("ok: runners dial back")

const nice = run("nice", "-n", "7")
assert.equal(nice.status, 0, nice.stderr)
assert.match(
  nice.stdout,
  new RegExp(`^17984 primes below 200000, by runners of priority ${Math.min(19, own + 7)}$`, "m")
)
console.log("ok: a command starts runners")

const missing = run("no-such-command")
assert.equal(missing.status, 1)
assert.match(missing.stdout + missing.stderr, /no-such-command does not start/)
console.log("ok: a command that does not start is reported")

/** A root directory with the program of Node, its libraries, and an empty /tmp. */
const onlyNode = (): string => {
  const root = mkdtempSync(join(tmpdir(), "only-node-"))
  const libraries = execFileSync("ldd", [process.execPath], { encoding: "utf8" }).match(/\/\S+/g) ?? []
  for (const file of [process.execPath, ...libraries]) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    copyFileSync(file, join(root, file))
  }
  mkdirSync(join(root, "tmp"))
  return root
}

const root = onlyNode()
try {
  // a user namespace for a check that does not run as root
  const isRoot = process.getuid?.() === 0
  const enter = isRoot ? ["chroot", root] : ["unshare", "--map-root-user", `--root=${root}`, "--wd=/"]
  const bare = run(...enter)
  assert.notEqual(bare.status, 0, "without its code the program is not there")
  const synced = run("--sync", ...enter)
  assert.equal(synced.status, 0, synced.stderr)
  assert.match(synced.stdout, /^17984 primes below 200000/m)
  console.log("ok: code is sent to a place that has nothing but Node")
} finally {
  rmSync(root, { recursive: true })
}
