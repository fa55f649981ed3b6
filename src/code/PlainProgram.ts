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

/** Names that a module needs before it runs: `import … from "x"`, `import "x"`, `export … from "x"` at a statement's begin. */
const needed =
  /(?:^|[;}\n])\s*(?:import\s*(?:[\w$*{}\s,]+\bfrom\s*)?|export\s*[\w$*{}\s,]+\bfrom\s*)(["'])([^"'\n]+)\1/g

/** Names that code asks for while it runs, by `import()` and `require()`. A text of the program may look the same. */
const asked = /\b(?:import|require)\s*\(\s*(["'`])([^"'`\n]+)\1/g

/** Files that code opens by their path: `new URL("x", import.meta.url)`. */
const opened = /\bnew URL\(\s*(["'`])([^"'`\n]+)\1\s*,\s*import\.meta\.url/g

/** The program of an entry and its relative imports. Undefined if a bundler is needed. */
export const of = (entry: string, options: CodeOptions): Program | undefined => {
  const root = dirname(entry)
  const found = new Map<string, CodeFile>()
  const variables = new Set<string>()
  let onDisk = false
  const isExternal = (name: string) =>
    isBuiltin(name) || options.external?.some((each) => name === each || name.startsWith(`${each}/`)) === true
  const visit = (file: string): boolean => {
    if (found.has(file)) return true
    const kind = kinds[extname(file)]
    const name = relative(root, file)
    if (kind === undefined || name.startsWith("..")) return false
    const bytes = readOrNothing(file)
    if (bytes === undefined) return false
    found.set(file, { name: name.split(sep).join("/"), kind, bytes })
    if (kind === "json" || kind === "wasm") return true
    const text = bytes.toString("utf8")
    for (const variable of variablesIn(text)) variables.add(variable)
    const map = readOrNothing(`${file}.map`)
    if (map !== undefined) found.set(`${file}.map`, { name: `${found.get(file)!.name}.map`, kind: "file", bytes: map })
    const own = (specifier: string) => visit(join(dirname(file), specifier))
    // A package that is missing is the program's own affair, as it was before the program was sent.
    for (const [, , specifier = ""] of text.matchAll(asked)) if (specifier.startsWith(".")) own(specifier)
    for (const [, , path = ""] of text.matchAll(opened)) onDisk = open(join(dirname(file), path)) || onDisk
    return [...text.matchAll(needed)].every(([, , specifier = ""]) =>
      specifier.startsWith(".") ? own(specifier) : isExternal(specifier)
    )
  }
  /** Adds a file that is opened by its path, with what it imports. False where it does not exist. */
  const open = (file: string): boolean => {
    const name = relative(root, file)
    if (/^\.\.|^[a-z]+:/.test(name)) return false
    const bytes = readOrNothing(file)
    if (bytes === undefined) return false
    if (!visit(file)) found.set(file, { name: name.split(sep).join("/"), kind: "file", bytes })
    return true
  }
  if (!visit(entry)) return undefined
  const assets = Assets.of(root, options.assets ?? [])
  return {
    index: { entry: found.get(entry)!.name, onDisk: onDisk || assets.length > 0, native: {} },
    files: [...found.values(), ...assets.map(({ file }) => file)],
    inputs: [...found.keys(), ...assets.map(({ path }) => path)],
    made: "sent as it is",
    variables: [...variables]
  }
}

const readOrNothing = (file: string): Buffer | undefined => {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}
