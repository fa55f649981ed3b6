/** The conformance suite of a backend on child processes, without a test framework: Bun and Deno run it as it is. Row C362. */
import { readFileSync, readdirSync } from "node:fs"
import * as ProcessBackend from "../../src/backend/ProcessBackend.ts"
import { backendConformance } from "../../src/testing/index.ts"

const running = (program: string) =>
  ProcessBackend.layer({ entry: new URL(`../../test/fixtures/conformance/${program}.ts`, import.meta.url) })

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The child processes of this one. Linux alone has such a file. */
const children = (): ReadonlyArray<string> =>
  readdirSync("/proc/self/task").flatMap((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean)
    } catch {
      return []
    }
  })

const tests: Array<readonly [title: string, test: () => Promise<void>]> = []

backendConformance("ProcessBackend", {
  describe: (_, body) => body(),
  it: (title, test) => void tests.push([title, test]),
  layer: running("runner"),
  silent: running("silent"),
  ending: running("ending"),
  remains: ({ pid }) => isAlive(Number(pid))
})

let failures = 0
for (const [title, test] of tests) {
  try {
    await test()
  } catch (error) {
    failures++
    console.log(`failed: ${title}\n${error instanceof Error ? error.stack : String(error)}`)
  }
}
const left = children()
if (left.length > 0) failures++
console.log(`${tests.length - failures} of ${tests.length} tests passed, ${left.length} processes left`)
process.exit(failures === 0 && tests.length > 20 ? 0 : 1)
