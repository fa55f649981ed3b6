/**
 * Programs that need no bundler: plain JavaScript that imports modules of Node and files beside it, such as an app that was
 * bundled before. These are sent as they are.
 */
import { readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { dirname, extname, join, relative, sep } from "node:path"
import type { Program } from "./Program.ts"
import * as Assets from "./Assets.ts"
import type { CodeOptions } from "./CodeOptions.ts"
import type { CodeFile, FileKind } from "./CodePack.ts"
import { variablesIn } from "./Variables.ts"

const kinds: Readonly<Record<string, FileKind>> = {
  ".mjs": "module",
  ".cjs": "commonjs",
  ".json": "json",
  ".wasm": "wasm"
}

/** A comment, which may stand between any two words. */
const comment = /\/\*(?:[^*]|\*(?!\/))*\*\/|\/\/[^\n]*/.source

// Patterns are joined from sources of regular expressions: minifiers reject `String.raw` whose text holds `\1`.
const joined = (flags: string, ...parts: ReadonlyArray<RegExp | string>): RegExp =>
  new RegExp(parts.map((part) => (typeof part === "string" ? part : part.source)).join(""), flags)

const blank = `(?:\\s|${comment})*`

/**
 * Names that a module needs before it runs: `import … from "x"`, `import "x"`, `export … from "x"` where a statement
 * begins, also after a comment.
 */
const needed = joined(
  "g",
  /(?:^|[;}\n]|\*\/)\s*(?:import|export)(?![\w$.(])/,
  `(?:(?:[\\w$*{}\\s,]|${comment})*\\bfrom${blank}|(?<=import)${blank})`,
  /(["'])([^"'\n]+)\1/
)

/** The begin of `import()` and of `require()`, up to the argument. A text of the program may look the same. */
const asks = joined("g", /\b(?:import|require)/, blank, /\(/, blank)

/** An argument that is one literal without escapes and `${}`. */
const literal = joined("y", /(["'`])([^"'`\\$\n]+)\1/, blank, /[),]/)

/** An argument that makes a path of a relative one. `new URL("./x", import.meta.url)` names its file without doubt. */
const madeOfPath = /(?!new\s+URL\()[^;\n]*?["'`]\.{1,2}\//y

/** A question whether the module is the program that was started. A runner imports its entry, so Node would say no. */
const asksForMain = /\bimport\.meta\.main\b|\brequire\.main\b/

/**
 * Names that code asks for while it runs. Undefined if an argument makes a path, which a bundler may be able to follow. An
 * argument without a path, such as a variable, says nothing to a bundler either.
 */
const askedIn = (text: string): ReadonlyArray<string> | undefined => {
  const names: Array<string> = []
  for (const { 0: head, index } of text.matchAll(asks)) {
    literal.lastIndex = madeOfPath.lastIndex = index + head.length
    const name = literal.exec(text)?.[2]
    if (name !== undefined) names.push(name)
    else if (madeOfPath.test(text)) return undefined
  }
  return names
}

/** Files that code opens by their path: `new URL("x", import.meta.url)`. */
const opened = /\bnew URL\(\s*(["'`])([^"'`\n]+)\1\s*,\s*import\.meta\.url/g

/** The program of an entry and its relative imports. Undefined if a bundler is needed. */
export const of = (entry: string, options: CodeOptions): Program | undefined => {
  const root = dirname(entry)
  const found = new Map<string, CodeFile>()
  // Also the files that are missing: one that is made later changes the program.
  const tried = new Set<string>()
  const variables = new Set<string>()
  let onDisk = false
  // A file that code imports while it runs may be missing. If it exists and needs a bundler, the whole program is bundled.
  let needsBundler = false
  const isExternal = (name: string) =>
    isBuiltin(name) || options.external?.some((each) => name === each || name.startsWith(`${each}/`)) === true
  const visit = (file: string): boolean => {
    if (found.has(file)) return true
    const kind = kinds[extname(file)]
    const name = relative(root, file)
    if (kind === undefined || name.startsWith("..")) return false
    const bytes = readOrNothing(file, tried)
    if (bytes === undefined) return false
    found.set(file, { name: name.split(sep).join("/"), kind, bytes })
    if (kind === "json" || kind === "wasm") return true
    const text = bytes.toString("utf8")
    for (const variable of variablesIn(text)) variables.add(variable)
    const map = readOrNothing(`${file}.map`, tried)
    if (map !== undefined) found.set(`${file}.map`, { name: `${found.get(file)!.name}.map`, kind: "file", bytes: map })
    const asked = askedIn(text)
    if (asked === undefined || asksForMain.test(text)) return (needsBundler = true)
    const own = (specifier: string) => visit(join(dirname(file), specifier))
    // A package that is missing is the program's own affair, as it was before the program was sent.
    for (const specifier of asked) if (specifier.startsWith(".")) own(specifier)
    for (const [, , path = ""] of text.matchAll(opened)) onDisk = open(join(dirname(file), path)) || onDisk
    return [...text.matchAll(needed)].every(([, , specifier = ""]) =>
      specifier.startsWith(".") ? own(specifier) : isExternal(specifier)
    )
  }
  /** Adds a file that is opened by its path, with what it imports. False where it does not exist. */
  const open = (file: string): boolean => {
    const name = relative(root, file)
    if (/^\.\.|^[a-z]+:/.test(name)) return false
    const bytes = readOrNothing(file, tried)
    if (bytes === undefined) return false
    if (!visit(file)) found.set(file, { name: name.split(sep).join("/"), kind: "file", bytes })
    return true
  }
  if (!visit(entry) || needsBundler) return undefined
  const assets = Assets.of(root, options.assets ?? [], options.maxCode)
  return {
    index: { entry: found.get(entry)!.name, onDisk: onDisk || assets.files.length > 0, native: {} },
    files: Assets.added([...found.values()], assets),
    inputs: [...tried, ...assets.inputs],
    made: "sent as it is",
    variables: [...variables]
  }
}

const readOrNothing = (file: string, tried: Set<string>): Buffer | undefined => {
  tried.add(file)
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}
