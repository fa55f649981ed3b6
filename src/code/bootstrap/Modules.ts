/**
 * Makes Node load the modules of the code from memory, under the path that they would have on disk.
 *
 * Code whose files are opened by their path is written to a directory of its own instead: worker threads and assets.
 */
import type * as Module from "node:module"
import { builtin } from "../../function/Builtin.ts"
import type { CodeFile, CodeIndex } from "../CodePack.ts"
import { BootError } from "./Failure.ts"

/** Code that is ready to run. */
export interface Installed {
  /** Path of the entry. */
  readonly entry: string
  /** URL of the root, with a slash at its end. */
  readonly root: string
  /** The module that an import did not find, and the directory of the search. */
  readonly unresolved: () => { readonly specifier: string; readonly directory: string } | undefined
}

/** Installs the code. Packages that the code lacks are resolved from the working directory of the image. */
export const install = (index: CodeIndex, files: ReadonlyArray<CodeFile>, hash: string): Installed => {
  const path = builtin("node:path")
  const { fileURLToPath, pathToFileURL } = builtin("node:url")
  const folder = rootOf(index, files, hash)
  const root = pathToFileURL(folder).href + "/"
  const here = pathToFileURL(process.cwd()).href.replace(/\/?$/, "/")
  const byPath = new Map(files.map((file) => [path.join(folder, file.name), file]))
  /** The module of a URL, which may encode a bracket or not. */
  const moduleOf = (url: string): CodeFile | undefined => {
    const file = url.startsWith(root) ? byPath.get(fileURLToPath(url)) : undefined
    return file?.kind === "file" ? undefined : file
  }
  let unresolved: ReturnType<Installed["unresolved"]>
  const resolve: Module.ResolveHookSync = (specifier, context, next) => {
    const from = context.parentURL ?? ""
    const isOurs = from.startsWith(root)
    if (specifier.startsWith(root) || (isOurs && /^\.{0,2}\//.test(specifier))) {
      const wanted = new URL(specifier, isOurs ? from : undefined)
      const file = moduleOf(wanted.href)
      if (file !== undefined) {
        const url = pathToFileURL(path.join(folder, file.name)).href + wanted.search + wanted.hash
        return { url, format: file.kind, shortCircuit: true }
      }
    }
    if (!isOurs) return next(specifier, context)
    try {
      return next(specifier, /^(\.{0,2}\/|[a-z]+:)/.test(specifier) ? context : { ...context, parentURL: here })
    } catch (error) {
      unresolved = { specifier, directory: process.cwd() }
      const left = index.native[specifier]
      // `code` of the error stays: a package with an optional import looks at it.
      if (left !== undefined && error instanceof Error) error.message = leftOut(left)
      throw error
    }
  }
  const load: Module.LoadHookSync = (url, context, next) => {
    const file = moduleOf(url)
    return file === undefined ? next(url, context) : { format: file.kind, source: file.bytes, shortCircuit: true }
  }
  builtin("node:module").registerHooks({ resolve, load })
  return { entry: path.join(folder, index.entry), root, unresolved: () => unresolved }
}

const leftOut = ({ detail, package: name }: CodeIndex["native"][string]): string =>
  `the package ${name} was not sent to this runner: ${detail}; install it in an image, name that image in the option \`image\`, and name the package in \`code: { external: ["${name}"] }\``

/** The directory of the code: one that does not exist, for code in memory. */
const rootOf = (index: CodeIndex, files: ReadonlyArray<CodeFile>, hash: string): string => {
  const fs = builtin("node:fs")
  const { dirname, join } = builtin("node:path")
  const base = join(builtin("node:os").tmpdir(), `effect-flame-${hash.slice(0, 12)}`)
  if (!index.onDisk) return base
  try {
    const folder = fs.realpathSync(fs.mkdtempSync(`${base}-`))
    process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }))
    for (const { bytes, name } of files) {
      const file = join(folder, name)
      fs.mkdirSync(dirname(file), { recursive: true })
      fs.writeFileSync(file, bytes)
    }
    // Worker threads have no hooks. They find packages of the image by this link.
    const modules = join(process.cwd(), "node_modules")
    if (fs.existsSync(modules)) fs.symlinkSync(modules, join(folder, "node_modules"))
    return folder
  } catch (error) {
    throw new BootError({ _tag: "CodeUnwritten", directory: dirname(base), detail: (error as Error).message })
  }
}
