/** Runs the program as its users would: plain, by a command before Node, and by one that does not start. */
import { strict as assert } from "node:assert"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("./main.ts", import.meta.url))

const run = (...before: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [main, ...before], { encoding: "utf8", timeout: 120_000 })

const plain = run()
assert.equal(plain.status, 0, plain.stderr)
assert.match(plain.stdout, /^17984 primes below 200000, by runners of priority 0$/m)
console.log("ok: runners dial back")

const nice = run("nice", "-n", "7")
assert.equal(nice.status, 0, nice.stderr)
assert.match(nice.stdout, /^17984 primes below 200000, by runners of priority 7$/m)
console.log("ok: a command starts them")

const missing = run("no-such-command")
assert.equal(missing.status, 1)
assert.match(missing.stdout + missing.stderr, /no-such-command does not start/)
console.log("ok: one that does not start is told")
