/**
 * Compiles every code block of the README and of docs, and runs each block that can run: with FLAME_TEST_FULL=1 all of
 * them, as `npm run docs:check` does on the built package, otherwise those of the README and every third of docs.
 *
 * A new block needs no change here: the options are in its fence, and CONTRIBUTING.md lists them.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { parseAllDocuments } from "yaml"
import { blocksOf, isProgram, isTypeScript, label } from "../scripts/docs/Block.ts"
import * as Workspace from "../scripts/docs/Workspace.ts"
import { thorough } from "./fixtures/thorough.ts"

const repository = Path.join(import.meta.dirname, "..")
const pages = ["README.md", ...Fs.globSync("docs/**/*.md", { cwd: repository }).toSorted()]
const others = [
  "AGENTS.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "llms.txt",
  "bench/README.md",
  "examples/kubernetes/README.md"
]
const blocks = pages.flatMap((page) => blocksOf(page, Fs.readFileSync(Path.join(repository, page), "utf8")))

// Inside the repository the name `effect-flame` resolves to the package itself, and the condition to src.
const root = Path.join(repository, ".cache/docs")
// `npm run docs:check` checks blocks with packages of their own, because it installs these.
const local = blocks.filter(({ info }) => info["packages"] === undefined)
const conditions = ["effect-flame-source"]
const jobs = Workspace.write(root, local, conditions)
const errors = Workspace.compile(root, jobs, conditions)

const named = <A extends Workspace.Job>(list: ReadonlyArray<A>): ReadonlyArray<readonly [string, A]> =>
  list.map((job) => [label(job.block), job])

describe("code blocks of documents", () => {
  it.each(named(jobs.filter(({ block }) => isTypeScript(block))))("%s compiles", (_, { folder }) => {
    assert.deepStrictEqual(errors.get(folder) ?? [], [])
  })

  it.each(named(jobs.filter(({ block }) => block.language === "sh")))("%s is valid shell", (_, { file }) => {
    const { status, stderr } = ChildProcess.spawnSync("bash", ["-n", file], { encoding: "utf8" })
    assert.deepStrictEqual([status, stderr], [0, ""])
  })

  it.each(named(jobs.filter(({ block }) => ["yaml", "json"].includes(block.language))))("%s parses", (_, { block }) => {
    const problems = parseAllDocuments(block.code).flatMap((document) => document.errors)
    assert.deepStrictEqual(
      problems.map(({ message }) => message),
      []
    )
  })

  describe.concurrent("run", () => {
    const able = jobs
      .filter(({ block }) => isProgram(block) && block.info["no-run"] === undefined)
      .filter(({ block }, i) => thorough || block.page === "README.md" || i % 3 === 0)
    it.each(named(able))(
      "%s runs and exits with 0",
      async (_, job) => {
        const { ok, output } = await Workspace.run(job, 300_000)
        assert.isTrue(ok, output)
        const expected = Workspace.expectedOutput(job, local)
        if (expected !== undefined) assert.deepStrictEqual(Workspace.missingOutput(output, expected.code), [], output)
      },
      330_000
    )
  })
})

it("documents name only files of the repository that exist", () => {
  const link = /\]\((?!https?:|#)(?<path>[^)#\s]+)/g
  const missing = [...pages, ...others].flatMap((page) =>
    [...Fs.readFileSync(Path.join(repository, page), "utf8").matchAll(link)]
      .map(({ groups }) => groups!.path!)
      .filter((path) => !Fs.existsSync(Path.join(repository, Path.dirname(page), path)))
      .map((path) => `${page}: ${path}`)
  )
  assert.deepStrictEqual(missing, [])
})

it("documents name only modules and folders that exist", () => {
  const path = /`(?<path>[\w./-]+\/[\w.-]+\.(?:ts|mjs|md|json|yaml))(?::\d+)?`/g
  // Relative to the repository, to src, or to a folder of src that the sentence names.
  const roots = ["", "src", "src/pool", "src/kubernetes", "src/backend", "bench"]
  const missing = [...pages, ...others].flatMap((page) =>
    [...Fs.readFileSync(Path.join(repository, page), "utf8").matchAll(path)]
      .map(({ groups }) => groups!.path!)
      .filter((path) => !path.startsWith("/") && !path.startsWith("./") && !path.startsWith("dist/"))
      .filter((path) => !roots.some((from) => Fs.existsSync(Path.join(repository, from, path))))
      .map((path) => `${page}: ${path}`)
  )
  assert.deepStrictEqual(missing, [])
})

/** The first group of each match of a pattern in a file of the repository. */
const namesIn = (file: string, pattern: RegExp): ReadonlyArray<string> =>
  [...Fs.readFileSync(Path.join(repository, file), "utf8").matchAll(pattern)].map((match) => match[1]!)

it.each([
  "FlameError",
  "NotStarted",
  "BootFailure",
  "ProcessFailure",
  "PodFailure",
  "CodeFailure",
  "ServicesFailed",
  "RunnerExit"
])("docs/errors.md has a section for every class of %s", (module) => {
  const classes = namesIn(`src/error/${module}.ts`, /^export class (\w+) extends/gm).filter(
    (name) => name !== "FlameError"
  )
  const sections = namesIn("docs/errors.md", /^## (\w+)$/gm)
  assert.deepStrictEqual(
    classes.filter((name) => !sections.includes(name)),
    []
  )
})

it.each([
  ["src/pool/option/PoolOptions.ts", "PoolOptions", "docs/reference.md"],
  ["src/backend/ProcessBackend.ts", "ProcessBackendOptions", "docs/reference.md"],
  ["src/kubernetes/template/PodOptions.ts", "PodOptions", "docs/kubernetes.md"]
])("the options of %s (%s) are in %s", (file, name, page) => {
  const source = Fs.readFileSync(Path.join(repository, file), "utf8")
  const start = source.search(new RegExp(`^export interface ${name}\\b`, "m"))
  assert.isAtLeast(start, 0, `${file} has no interface ${name}`)
  const body = source.slice(start, source.indexOf("\n}", start))
  const options = [...body.matchAll(/^  readonly (\w+)\??:/gm)].map(([, option]) => option!)
  assert.isNotEmpty(options)
  const text = Fs.readFileSync(Path.join(repository, page), "utf8")
  assert.deepStrictEqual(
    options.filter((option) => !text.includes(`\`${option}\``)),
    []
  )
})

it("every row of docs/conformance.md has a test, and every number in a test's name has a row", () => {
  const rows = new Set(namesIn("docs/conformance.md", /^\| (C\d+) \|/gm))
  const files = Fs.globSync("{test,src/testing,examples,scripts}/**/*.ts", { cwd: repository })
  const shown = new Set(files.flatMap((file) => namesIn(file, /\b(C\d{1,3})\b/g)))
  const named = new Set(files.flatMap((file) => namesIn(file, /\[(C\d{1,3})\]/g)))
  const without = (some: ReadonlySet<string>, others: ReadonlySet<string>) => [...some].filter((c) => !others.has(c))
  assert.deepStrictEqual({ rows: without(rows, shown), numbers: without(named, rows) }, { rows: [], numbers: [] })
})
