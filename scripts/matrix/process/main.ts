/**
 * [C461] The suite of processes, `test/conformance/process`, without vitest: Bun and Deno run the file as it is, with the import of
 * `@effect/vitest` mapped to `Tests.ts`. Arguments: parts of file names and titles to run.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { tests } from "./Tests.ts"

const folder = join(import.meta.dirname, "../../../test/conformance/process")
const wanted = process.argv.slice(2)
const limit = 120_000

for (const file of readdirSync(folder)
  .filter((name) => name.endsWith(".test.ts"))
  .toSorted()) {
  const before = tests.length
  await import(pathToFileURL(join(folder, file)).href)
  for (const test of tests.slice(before)) Object.assign(test, { file })
}

/** Parts of titles whose tests hold what only Node has, and why. */
const onlyNode: Readonly<Record<string, ReadonlyArray<readonly [part: string, reason: string]>>> = {
  Bun: [
    ["whose output is one entry of the log", "Bun writes an uncaught error in other words than Node"],
    ["a boot whose program {", "Bun writes errors of loading in other words than Node"],
    [
      "a boot whose program writes another protocol",
      "the program uses `net.Socket({ fd: 3 })`, which does not read on Bun"
    ],
    ["because no timer, handle or process is left", "Bun does not list its active resources"],
    ["out of memory is reported as that", "Bun takes no `--max-old-space-size`"]
  ],
  Deno: [
    ["a boot whose program {", "Deno writes errors of loading in other words than Node"],
    ["a boot [C63] of another protocol", "the program uses `net.Socket({ fd: 3 })`, which does not read on Deno"],
    ["the pool's execArgv", "Deno keeps no `process.execArgv`"],
    ["whose output is one entry of the log", "Deno writes an uncaught error in other words than Node"],
    ['right before its process ends by "throw"', "Deno runs no listener of an uncaught error"],
    ["does not count a function as stuck", "Deno writes to a socket in a later turn, after the block"],
    ["because no timer, handle or process is left", "Deno does not list its active resources"],
    ["out of memory is reported as that", "Deno ends by SIGTRAP without Node's words when its memory is used up"]
  ]
}
const runtime = "bun" in process.versions ? "Bun" : "deno" in process.versions ? "Deno" : "Node"

// The first listener of a signal makes Deno open a pair of sockets, which it keeps. Tests count what is open.
const ignore = () => {}
process.on("SIGTERM", ignore)
process.off("SIGTERM", ignore)

let passed = 0
let failed = 0
for (const { run, title, file = "" } of tests as Array<(typeof tests)[number] & { readonly file?: string }>) {
  if (wanted.length > 0 && !wanted.some((part) => `${file} ${title}`.includes(part))) continue
  const [, reason] = onlyNode[runtime]?.find(([part]) => title.includes(part)) ?? []
  if (reason !== undefined) {
    console.log(`not on ${runtime}: ${file}: ${title}: ${reason}`)
    continue
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${limit} ms`)), limit)
  })
  try {
    await Promise.race([run(), late])
    passed++
  } catch (error) {
    failed++
    console.log(`failed: ${file}: ${title}\n${error instanceof Error ? error.stack : String(error)}`)
  } finally {
    clearTimeout(timer)
  }
}
console.log(`${passed} of ${passed + failed} tests passed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
