/**
 * `npm test`: types, lint and format beside the tests, which mostly wait for processes. Arguments are those of vitest.
 *
 * The output of a check is printed in one piece, after the tests. All checks run to their end; any failure fails the whole.
 */
import { spawn } from "node:child_process"

const checks = ["check", "check:libs", "lint", "format:check"]

interface Outcome {
  readonly name: string
  readonly failed: boolean
  readonly said: string
}

/** Runs a script of package.json. */
const check = (name: string): Promise<Outcome> =>
  new Promise((resolve) => {
    const child = spawn("npm", ["run", "--silent", name], { stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()))
    child.once("error", (cause) => resolve({ name, failed: true, said: cause.message }))
    child.once("close", (code) => resolve({ name, failed: code !== 0, said }))
  })

const vitest = (args: ReadonlyArray<string>): Promise<Outcome> =>
  new Promise((resolve) => {
    const child = spawn("vitest", ["run", ...args], { stdio: "inherit" })
    child.once("error", (cause) => resolve({ name: "vitest", failed: true, said: cause.message }))
    child.once("close", (code) => resolve({ name: "vitest", failed: code !== 0, said: "" }))
  })

const tests = vitest(process.argv.slice(2))
const outcomes: Array<Outcome> = []
// Runs the checks one after the other, because each keeps a processor busy.
for (const name of checks) outcomes.push(await check(name))
outcomes.unshift(await tests)

for (const { failed, name, said } of outcomes) {
  if (failed) console.log(`\n== ${name} failed\n${said}`)
}
const failures = outcomes.filter(({ failed }) => failed)
console.log(outcomes.map(({ failed, name }) => `${name} ${failed ? "failed" : "passed"}`).join(", "))
process.exitCode = failures.length === 0 ? 0 : 1
