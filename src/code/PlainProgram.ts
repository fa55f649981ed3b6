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

/** The literal after `from`, `import`, `import(` and `require(`. */
const imports = /\b(?:from|import|require)\s*\(?\s*(["'`])([^"'`\n]+)\1/g

/** The program of an entry and its relative imports. Undefined if a bundler is needed. */
export const of = (entry: string, options: CodeOptions): Program | undefined => {
  const root = dirname(entry)
  const found = new Map<string, CodeFile>()
  const variables = new Set<string>()
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
    // A file that opens other files by their path: the bundler finds out which.
    if (/\bnew URL\(\s*["']\./.test(text) || text.includes("import.meta.ROLLUP_FILE_URL")) return false
    for (const variable of variablesIn(text)) variables.add(variable)
    const map = readOrNothing(`${file}.map`)
    if (map !== undefined) found.set(`${file}.map`, { name: `${found.get(file)!.name}.map`, kind: "file", bytes: map })
    return [...text.matchAll(imports)].every(([, , specifier = ""]) =>
      specifier.startsWith(".") ? visit(join(dirname(file), specifier)) : isExternal(specifier)
    )
  }
  if (!visit(entry)) return undefined
  const assets = Assets.of(root, options.assets ?? [])
  return {
    index: { entry: found.get(entry)!.name, onDisk: assets.length > 0, native: {} },
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
