/** Runs the program as a user does: plain, by a command in front of Node, and by a command that does not start. */
import { strict as assert } from "node:assert"
import { spawnSync } from "node:child_process"
import { getPriority } from "node:os"
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
