/**
 * `npm run docs:check [-- page…]`: compiles and runs the code blocks of the README and of docs in a new folder, where the
 * packed package and its peers are installed by npm, as a user has them. `test/docs.test.ts` does the same on src.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { blocksOf, isProgram, label } from "./Block.ts"
import * as Workspace from "./Workspace.ts"

const repository = Path.join(import.meta.dirname, "../..")
const manifest = JSON.parse(Fs.readFileSync(Path.join(repository, "package.json"), "utf8"))
const root = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-flame-docs-"))

const given = process.argv.slice(2)
const pages = ["README.md", ...Fs.globSync("docs/**/*.md", { cwd: repository }).toSorted()]
const blocks = pages
  .filter((page) => given.length === 0 || given.includes(page))
  .flatMap((page) => blocksOf(page, Fs.readFileSync(Path.join(repository, page), "utf8")))

/** Installs the package from a tarball, and the packages that the blocks import from the registry. */
const install = (): void => {
  const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", root]
  const [packed] = JSON.parse(execFileSync("npm", pack, { cwd: repository, encoding: "utf8" }))
  const versions = ["effect", "typescript", "@types/node", "vitest", "@effect/vitest", "@effect/platform-node"].map(
    (name) => `${name}@${manifest.devDependencies[name]}`
  )
  // Blocks that bundle import rolldown. This repository has rolldown only as a dependency of tsdown.
  const others = ["rolldown", ...blocks.flatMap(({ info }) => info["packages"]?.split(" ") ?? [])]
  Fs.writeFileSync(Path.join(root, "package.json"), JSON.stringify({ private: true, type: "module" }))
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", `./${packed.filename}`, ...versions]
  execFileSync("npm", [...args, ...new Set(others)], { cwd: root, stdio: "inherit" })
}

const failures: Array<string> = []

const check = async (job: Workspace.Job): Promise<void> => {
  const { ok, output } = await Workspace.run(job, 300_000)
  const expected = Workspace.expectedOutput(job, blocks)
  const missing = ok && expected !== undefined ? Workspace.missingOutput(output, expected.code) : []
  if (ok && missing.length === 0) console.log(`ok: ${label(job.block)}`)
  else
    failures.push(
      `${label(job.block)} does not run${missing.map((line) => `\n  missing: ${line}`).join("")}\n${output}`
    )
}

try {
  install()
  process.env["PATH"] = `${Path.join(root, "node_modules/.bin")}${Path.delimiter}${process.env["PATH"]}`
  const jobs = Workspace.write(root, blocks, [])
  for (const messages of Workspace.compile(root, jobs, []).values()) failures.push(...messages)
  const able = jobs.filter(({ block }) => isProgram(block) && block.info["no-run"] === undefined)
  await Promise.all(
    [0, 1].map(async (lane) => {
      for (const [n, job] of able.entries()) if (n % 2 === lane) await check(job)
    })
  )
} finally {
  Fs.rmSync(root, { recursive: true, force: true })
}
for (const failure of failures) console.error(`\n${failure}`)
console.log(`${blocks.length} blocks, ${failures.length} failures`)
process.exitCode = failures.length === 0 ? 0 : 1
