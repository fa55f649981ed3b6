/** Runs the program to its end, then with a database that cannot be opened. With `--kubernetes`: on pods. */
import { strict as assert } from "node:assert"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { onCluster, type There } from "../cluster.ts"

const main = fileURLToPath(new URL("./main.ts", import.meta.url))

/** Checks the program with its runners there. */
const check = ({ args: where, env }: There): void => {
  const run = (...args: ReadonlyArray<string>) =>
    spawnSync(process.execPath, [main, ...where, ...args], { encoding: "utf8", env, timeout: 120_000 })

  const { status, stderr, stdout } = run()
  assert.equal(status, 0, stderr)
  const [, made, refused] = /^8 callers: (\d+) transfers made, (\d+) refused$/m.exec(stdout) ?? []
  assert.equal(Number(made) + Number(refused), 2_000, stdout)
  assert.ok(Number(made) > 0 && Number(refused) > 0, stdout)
  const balances = [...stdout.matchAll(/^\w+ has (-?\d+)$/gm)].map(([, balance]) => Number(balance))
  assert.deepEqual([balances.length, balances.every((balance) => balance >= 0)], [4, true], stdout)
  assert.match(stdout, /^all have 4000$/m)
  console.log("ok: eight callers write at once, and no transfer is lost")

  const missing = run("/nowhere/at/all.db")
  assert.equal(missing.status, 1)
  assert.match(missing.stderr + missing.stdout, /\/nowhere\/at\/all\.db cannot be opened: unable to open/)
  console.log("ok: a database that cannot be opened fails with the service's own error")
}

if (process.argv.includes("--kubernetes")) await onCluster("place", main, async () => {}, check)
else check({ args: [], env: process.env })
