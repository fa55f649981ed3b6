/**
 * Child processes on every runtime, as parents and as runners: the conformance suite of a backend, and the suite of processes
 * on Bun and Deno, where vitest does not run.
 */
import * as Path from "node:path"
import { cell, program, root, run } from "./Tool.ts"

const suite = Path.join(root, "scripts/matrix/suite.ts")

const processes = Path.join(root, "scripts/matrix/process")

/** Options that map `@effect/vitest` to the tests of the matrix. */
const mapped: Readonly<Record<string, ReadonlyArray<string>>> = {
  Bun: [`--tsconfig-override=${Path.join(processes, "bun.json")}`],
  Deno: [`--import-map=${Path.join(processes, "imports.json")}`]
}

const runtimes: ReadonlyArray<readonly [name: string, command: () => string, args: ReadonlyArray<string>]> = [
  ["Node 22.19", () => program("node@22.19.0", "node"), []],
  ["Node 24", () => process.execPath, []],
  ["Node 26", () => program("node@26", "node"), []],
  ["Bun", () => program("bun@1", "bun"), []],
  ["Deno", () => program("deno@2", "deno"), ["run", "-A"]]
]

/** Runs the suites on each runtime. */
export const check = (): void => {
  for (const [name, command, args] of runtimes) {
    const said = run(root, command(), [...args, suite])
    cell(`child processes on ${name}`, said, said.text.trim().split("\n").at(-1))
    const options = mapped[name]
    if (options === undefined) continue
    const suiteSaid = run(root, command(), [...args, ...options, Path.join(processes, "main.ts")])
    cell(`the suite of processes on ${name}`, suiteSaid, suiteSaid.text.trim().split("\n").at(-1))
  }
}
