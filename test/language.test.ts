/**
 * Holds the sentences of the repository to what a test can hold: how a docstring or a test title begins, how long a line of a
 * comment is, that every module has a header and every name behind a door a docstring, and that every example compiles.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { blocksOf, label } from "../scripts/docs/Block.ts"
import * as Workspace from "../scripts/docs/Workspace.ts"

const repository = Path.join(import.meta.dirname, "..")
const read = (file: string): string => Fs.readFileSync(Path.join(repository, file), "utf8")
const modules = Fs.globSync("src/**/*.ts", { cwd: repository }).toSorted()

/** Everything that is not src: tests, their kits and fixtures, the benchmark, scripts and examples. */
const others = Fs.globSync("{test,bench,scripts,examples}/**/*.{ts,mjs}", {
  cwd: repository,
  exclude: (path) => /node_modules|\.out|\.venv|results/.test(path)
}).toSorted()

/** First words that name nothing: the reader does not know yet what the sentence is about. */
const riddle = /^(?:It|One|What|That|Whoever|Who|Which)\b/

/** The largest number of characters in a line of a comment. */
const longestComment = 130

interface Docstring {
  readonly line: number
  readonly text: string
  /** The offset of the first character after the comment. */
  readonly end: number
}

const docstringsOf = (source: string): ReadonlyArray<Docstring> =>
  [...source.matchAll(/\/\*\*[\s\S]*?\*\//g)].map((match) => ({
    line: source.slice(0, match.index).split("\n").length,
    text: match[0]
      .slice(3, -2)
      .split("\n")
      .map((line) => line.replace(/^\s*\* ?/, ""))
      .join("\n")
      .trim(),
    end: match.index + match[0].length
  }))

/** The docstrings that begin with a riddle, with their lines. */
const riddlesOf = (file: string, docstrings: ReadonlyArray<Docstring>): ReadonlyArray<string> =>
  docstrings.filter(({ text }) => riddle.test(text)).map(({ line, text }) => `${file}:${line} ${text.split("\n")[0]}`)

describe.each(modules)("%s", (module) => {
  const docstrings = docstringsOf(read(module))

  it("has no docstring that begins with a word that names nothing", () => {
    assert.deepStrictEqual(riddlesOf(module, docstrings), [])
  })

  it("has no comment line of more than 130 characters, because the formatter does not wrap comments", () => {
    const long = read(module)
      .split("\n")
      .flatMap((line, index) =>
        /^\s*(?:\/\*\*|\*|\/\/)/.test(line) && line.length > longestComment ? [`${module}:${index + 1} ${line}`] : []
      )
    assert.deepStrictEqual(long, [])
  })

  it("says in its first lines what the module is", () => {
    assert.match(read(module), /^(?:#!.*\n)?\/\*\*/, `${module} has no header`)
  })
})

describe("tests, benchmark, scripts and examples", () => {
  it("have no docstring or header that begins with a word that names nothing", () => {
    const found = others.flatMap((file) => {
      const source = read(file)
      const header = /^(?:#!.*\n)?\/\/ (.*)/.exec(source)?.[1] ?? ""
      return [...riddlesOf(file, docstringsOf(source)), ...(riddle.test(header) ? [`${file}:1 ${header}`] : [])]
    })
    assert.deepStrictEqual(found, [])
  })

  it("say in their first lines what they are, except tests, whose titles say so", () => {
    const lacking = others.filter(
      (file) =>
        !file.endsWith(".test.ts") &&
        !file.startsWith("test/fixtures/types/mistakes/") &&
        !/^(?:#!.*\n)?(?:\/\*\*|\/\/ )/.test(read(file))
    )
    assert.deepStrictEqual(lacking, [])
  })

  it("have no title of a test that begins with a word that names nothing", () => {
    const title =
      /^[ \t]*(?:it|test|poolTest|hostile|describe)(?:\.\w+)*(?:\([^"`\n]*\))?\(\s*["`](?<text>[^"`]+)["`]/gm
    const found = others.flatMap((file) =>
      [...read(file).matchAll(title)]
        .map(({ groups }) => groups!["text"]!)
        .filter((text) => /^(?:\[C\d+\] ?)*(?:it|one|what|that which|whoever|who)\b/.test(text))
        .map((text) => `${file}: ${text}`)
    )
    assert.deepStrictEqual(found, [])
  })
})

/** An exported name: the module that declares it, and its docstring there or at the export. */
interface Exported {
  readonly name: string
  readonly module: string
  readonly docstring: string | undefined
}

const lookedUp = new Map<string, ReadonlyArray<Exported>>()

/** The names that a module exports, followed to where they are declared. */
const exportsOf = (module: string): ReadonlyArray<Exported> => {
  const known = lookedUp.get(module)
  if (known !== undefined) return known
  const source = read(module)
  const docstrings = docstringsOf(source)
  const before = (at: number): string | undefined =>
    docstrings.find(({ end }) => end <= at && source.slice(end, at).trim() === "")?.text
  const resolved = (from: string): string => Path.posix.join(Path.posix.dirname(module), from)
  const found: Array<Exported> = []

  const declaration =
    /^export (?:declare )?(?:abstract )?(?:async )?(?:const|class|interface|type|function\*?|enum) (?<name>\w+)/gm
  const seen = new Set<string>()
  for (const { groups, index } of source.matchAll(declaration)) {
    // An overload, or a type beside a value of the same name: one docstring is enough.
    const name = groups!.name!
    const docstring = before(index)
    if (seen.has(name) && docstring === undefined) continue
    seen.add(name)
    found.push({ name, module, docstring })
  }
  for (const { groups, index } of source.matchAll(/^export \* as (?<name>\w+) from "(?<from>[^"]+)"/gm)) {
    const target = resolved(groups!.from!)
    found.push({ name: groups!.name!, module, docstring: before(index) ?? docstringsOf(read(target))[0]?.text })
    for (const inner of exportsOf(target)) found.push({ ...inner, name: `${groups!.name!}.${inner.name}` })
  }
  for (const { groups } of source.matchAll(/^export \* from "(?<from>[^"]+)"/gm)) {
    found.push(...exportsOf(resolved(groups!.from!)))
  }
  for (const match of source.matchAll(/^export (?:type )?\{(?<names>[^}]*)\}(?: from "(?<from>[^"]+)")?/gm)) {
    const { from, names } = match.groups!
    const start = match.index + match[0].indexOf("{") + 1
    for (const item of names!.matchAll(/(?:type )?(?<name>\w+)(?: as (?<as>\w+))?(?=\s*(?:,|$|\n))/g)) {
      const { as, name } = item.groups!
      const own = before(start + item.index)
      const origin = from === undefined ? undefined : exportsOf(resolved(from)).find((other) => other.name === name)
      found.push({ name: as ?? name!, module: origin?.module ?? module, docstring: own ?? origin?.docstring })
    }
  }
  lookedUp.set(module, found)
  return found
}

const { exports } = JSON.parse(read("package.json")) as {
  readonly exports: Readonly<Record<string, string | { readonly "effect-flame-source": string }>>
}
const doors = Object.entries(exports).flatMap(([door, at]) =>
  typeof at === "string" ? [] : [[`effect-flame${door.slice(1)}`, at["effect-flame-source"].slice(2)] as const]
)

describe.each(doors)("the door %s", (_, module) => {
  const names = exportsOf(module)

  it("exports names, each with a docstring", () => {
    assert.isNotEmpty(names)
    assert.deepStrictEqual(
      names.filter(({ docstring }) => docstring === undefined).map((found) => `${found.module}: ${found.name}`),
      []
    )
  })
})

const examples = modules.flatMap((module) =>
  docstringsOf(read(module)).flatMap(({ line, text }) =>
    text
      .split(/^@example.*$/m)
      .slice(1)
      .flatMap((example, n) => blocksOf(`${module}:${line}:${n}`, `${example.split(/^@\w/m)[0]!.trim()}\n`))
  )
)

const root = Path.join(repository, ".cache/examples")
const jobs = Workspace.write(root, examples, [])
const errors = Workspace.compile(root, jobs, ["effect-flame-source"])

describe("an @example of a docstring", () => {
  it("exists", () => assert.isNotEmpty(jobs))

  it.each(jobs.map((job) => [label(job.block), job] as const))("%s compiles", (_, { folder }) => {
    assert.deepStrictEqual(errors.get(folder) ?? [], [])
  })
})
