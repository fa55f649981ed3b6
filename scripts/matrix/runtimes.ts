/** Child processes on every runtime: the conformance suite of a backend, on parents and runners of that runtime. */
import * as Path from "node:path"
import { cell, program, root, run } from "./Tool.ts"

const suite = Path.join(root, "scripts/matrix/suite.ts")

const runtimes: ReadonlyArray<readonly [name: string, command: () => string, args: ReadonlyArray<string>]> = [
  ["Node 22.19", () => program("node@22.19.0", "node"), []],
  ["Node 24", () => process.execPath, []],
  ["Node 26", () => program("node@26", "node"), []],
  ["Bun", () => program("bun@1", "bun"), []],
  ["Deno", () => program("deno@2", "deno"), ["run", "-A"]]
]

/** Runs the suite on each runtime. */
export const check = (): void => {
  for (const [name, command, args] of runtimes) {
    const said = run(root, command(), [...args, suite])
    cell(`child processes on ${name}`, said, said.text.trim().split("\n").at(-1))
  }
}
