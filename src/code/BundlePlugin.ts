/**
 * Additions of this library to the bundler: files that the code opens by their path, WebAssembly, packages that work only as
 * installed files, and the variables that the user's files read.
 */
import { existsSync, readFileSync, statSync } from "node:fs"
import { basename, dirname, extname, resolve } from "node:path"
import { CodeNative } from "../error/CodeFailure.ts"
import type { Plugin, PluginContext } from "./BundlerLibrary.ts"
import * as NativePackage from "./NativePackage.ts"
import * as OwnFiles from "./OwnFiles.ts"
import { variablesIn } from "./Variables.ts"

/** Facts about a program that were found while it was bundled. */
export interface Findings {
  /** Whether a file is opened by its path. */
  onDisk: boolean
  /** Paths of files that are no modules of the bundle, also of missing files: one that is made later changes the bundle. */
  readonly inputs: Set<string>
  /** Imports that were left out, with the package and the reason. */
  readonly native: Map<string, { readonly package: string; readonly detail: string }>
  /** Variables of the environment that the user's own files read. */
  readonly variables: Set<string>
}

/** `new URL("./file", import.meta.url)`, by which a program names a file beside it. */
const urls = /\bnew URL\(\s*(["'`])(\.{1,2}\/[^"'`$\n]+)\1\s*,\s*import\.meta\.url\s*\)/g

const programs = new Set([".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx"])

/** The plugins for the program of these entries. Their filters keep most modules away from JavaScript. */
export const bundlePlugins = (
  entries: ReadonlySet<string>,
  findings: Findings,
  isExternal: (id: string) => boolean
): ReadonlyArray<Plugin> => [
  {
    name: "effect-flame: imports",
    resolveId: {
      order: "pre",
      // WebAssembly, addons, and packages
      filter: { id: /\.(wasm|node)$|^(?!node:)[@\w]/ },
      async handler(source, importer, { kind }) {
        if (importer === undefined || isExternal(source)) return null
        return source.endsWith(".wasm")
          ? wasm(this, source, importer, findings)
          : native(this, source, importer, kind, findings)
      }
    }
  },
  {
    name: "effect-flame: own files",
    transform: {
      filter: { id: { exclude: OwnFiles.ofPackages } },
      async handler(code, id) {
        for (const name of variablesIn(code)) findings.variables.add(name)
        // In memory no module is the main module, but the entry is the program that was started.
        const changed = withFiles(this, code, id, entries, findings).replaceAll(
          /\bimport\.meta\.main\b|\brequire\.main\s*===?\s*module\b/g,
          String(entries.has(id))
        )
        return changed === code ? undefined : { code: changed, map: null }
      }
    }
  },
  {
    name: "effect-flame: files of packages",
    transform: {
      filter: { id: { include: OwnFiles.ofPackages }, code: /\bnew URL\(|\b__(dir|file)name\b/ },
      async handler(code, id) {
        const changed = NativePackage.withFolder(withFiles(this, code, id, entries, findings), id)
        return changed === code ? undefined : { code: changed, map: null }
      }
    }
  }
]

const withFiles = (
  context: PluginContext,
  code: string,
  id: string,
  entries: ReadonlySet<string>,
  findings: Findings
): string => {
  // The library opens its own files in a parent alone. A runner of every program would need a disk otherwise.
  if (OwnFiles.ofLibrary.test(id)) return code
  return code.replaceAll(urls, (text: string, _quote: string, path: string, at: number) => {
    const file = resolve(dirname(id), path)
    if (isInComment(code, at) || entries.has(file)) return text
    findings.inputs.add(file)
    if (!existsSync(file) || !statSync(file).isFile()) return text
    findings.onDisk = true
    return `new URL(import.meta.ROLLUP_FILE_URL_${emit(context, file)})`
  })
}

/** Whether the line begins as a comment does, such as an example of a docstring. */
const isInComment = (code: string, at: number): boolean =>
  /^\s*(\/\/|\/?\*)/.test(code.slice(code.lastIndexOf("\n", at) + 1, at))

/** Emits a program as a chunk with its imports, and any other file as an asset. */
const emit = (context: PluginContext, file: string): string =>
  programs.has(extname(file))
    ? context.emitFile({ type: "chunk", id: file })
    : context.emitFile({ type: "asset", name: basename(file), source: readFileSync(file) })

/** Lets Node load WebAssembly, from a file beside the code. */
const wasm = async (context: PluginContext, source: string, importer: string, findings: Findings) => {
  const found = await context.resolve(source, importer, { skipSelf: true })
  if (found === null || !existsSync(found.id)) return null
  findings.inputs.add(found.id)
  const reference = context.emitFile({ type: "asset", name: basename(found.id), source: readFileSync(found.id) })
  return { id: `./${context.getFileName(reference)}`, external: "relative" as const }
}

/**
 * Leaves out a package that works only as installed files. If the program imports the package while it loads, the boot
 * fails. If code imports it later, such as in a `try`, the program sees that the package is missing.
 */
const native = async (context: PluginContext, source: string, importer: string, kind: string, findings: Findings) => {
  const found = await context.resolve(source, importer, { skipSelf: true, kind })
  // an addon that was not built belongs to the package that asks for it
  const file = found?.id ?? (source.endsWith(".node") ? resolve(dirname(importer), source) : undefined)
  const problem = file === undefined ? undefined : NativePackage.problemOf(file)
  if (problem === undefined) return null
  const cause = { package: problem.name, detail: `${problem.why}, and ${importer} imports it` }
  if (kind === "import-statement") throw new CodeNative(cause)
  findings.native.set(source, cause)
  return { id: source, external: true }
}
