/** Bundles a program into files that need nothing but Node: the entry and its imports, in chunks. */
import { dirname, isAbsolute, join, resolve } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { CodeNative, CodeUnbundled } from "../error/CodeFailure.ts"
import * as NodeArguments from "../process/NodeArguments.ts"
import * as Assets from "./Assets.ts"
import { type BundlerLog, load, type OutputFile } from "./BundlerLibrary.ts"
import { bundlePlugins, type Findings } from "./BundlePlugin.ts"
import type { Program } from "./Program.ts"
import type { CodeOptions } from "./CodeOptions.ts"
import type { CodeFile } from "./CodePack.ts"
import * as OwnFiles from "./OwnFiles.ts"

/** Options of a bundle. */
export interface BundleOptions extends CodeOptions {
  /**
   * Whether names are shortened. Default false: functions and classes keep their names, so that stacks and
   * `constructor.name` are those of the source.
   */
  readonly mangle?: boolean
  /** Conditions by which packages are resolved, before those of this process. Default: none. */
  readonly conditions?: ReadonlyArray<string>
  /** Whether source maps are made. Default true. */
  readonly sourceMaps?: boolean
}

/** Packages that only a parent needs, and that it loads on demand. */
const neverSent = ["@kubernetes/client-node", "rolldown"]

/**
 * The modules of a runner: in one chunk, they are one file to load. The bundler would spread them over ten, and code of
 * parents may get into one of them.
 */
const groups = [{ name: "runner", test: /[\\/](FlameRunner|ConnectParent)\.(ts|js)$/ }]

/** The program of entries by their names, of which the first one runs. Rejects with a `CodeFailure`. */
export const bundleProgram = async (
  entries: Readonly<Record<string, string>>,
  options: BundleOptions
): Promise<Program> => {
  const [[name, entry] = ["?", "?"]] = Object.entries(entries)
  const root = dirname(entry)
  const assets = Assets.of(root, options.assets ?? [], options.maxCode)
  const { rolldown } = await load(entry)
  const findings: Findings = { onDisk: false, inputs: new Set(), native: new Map(), variables: new Set() }
  const problems: Array<string> = []
  const external = [...neverSent, ...(options.external ?? [])]
  const isExternal = (id: string) => external.some((name) => id === name || id.startsWith(`${name}/`))
  const onLog = (_level: string, log: BundlerLog) => {
    if (log.code === "UNRESOLVED_IMPORT" && isOwn(log.id ?? log.message)) problems.push(said(log.message))
  }
  try {
    const bundle = await rolldown({
      input: entries,
      platform: "node",
      // The bundler adds `import` or `require`, as the importer does.
      resolve: { conditionNames: [...(options.conditions ?? []), ...conditions(), "node"] },
      external: (id) => id.startsWith("node:") || isExternal(id),
      // Node runs a module of the program that is imported for its effects only, whatever its package.json says.
      treeshake: { moduleSideEffects: [{ test: OwnFiles.own, sideEffects: true }] },
      plugins: bundlePlugins(new Set(Object.values(entries)), findings, isExternal),
      onLog
    })
    try {
      const { output } = await bundle.generate({
        // Nothing is written. The sources in the maps are relative to this folder.
        dir: root,
        format: "esm",
        // One character beyond Latin-1 would double the memory of the whole chunk, and the time to read it.
        charset: "ascii",
        minify: options.mangle === true ? true : { compress: true, mangle: false, codegen: { removeWhitespace: true } },
        sourcemap: options.sourceMaps === false ? false : "hidden",
        entryFileNames: "[name].mjs",
        chunkFileNames: "[name]-[hash].mjs",
        assetFileNames: "[name]-[hash][extname]",
        codeSplitting: { groups }
      })
      if (problems.length > 0) throw new CodeUnbundled({ entry, detail: problems.join("\n") })
      const files = output.flatMap((file) => filesOf(file, root))
      return {
        index: {
          entry: `${name}.mjs`,
          onDisk: findings.onDisk || assets.files.length > 0,
          native: Object.fromEntries(findings.native)
        },
        files: Assets.added(files, assets),
        inputs: [...(await bundle.watchFiles).filter(isAbsolute), ...findings.inputs, ...assets.inputs],
        made: "bundled by rolldown",
        variables: [...findings.variables]
      }
    } finally {
      await bundle.close()
    }
  } catch (error) {
    throw failureOf(entry, error)
  }
}

/** The conditions by which this process resolves packages. */
const conditions = (): ReadonlyArray<string> =>
  NodeArguments.conditions([...NodeArguments.parse(process.env["NODE_OPTIONS"] ?? ""), ...process.execArgv])

/** Whether a file is the user's own, and not one of a package, where an import may be optional. */
const isOwn = (file: string): boolean => !OwnFiles.ofPackages.test(file)

const said = (message: string): string => stripVTControlCharacters(message).trim()

/** The failure that a plugin threw, which is inside the bundler's own error. */
const failureOf = (entry: string, error: unknown): CodeUnbundled | CodeNative => {
  const inner = [error, ...((error as { errors?: ReadonlyArray<unknown> }).errors ?? [])].flatMap((each) => [
    each,
    (each as { cause?: unknown }).cause
  ])
  for (const each of inner) if (each instanceof CodeNative || each instanceof CodeUnbundled) return each
  return new CodeUnbundled({ entry, detail: said(error instanceof Error ? error.message : String(error)) })
}

const filesOf = (file: OutputFile, root: string): ReadonlyArray<CodeFile> => {
  const { fileName: name } = file
  if (file.type === "asset") {
    // The maps of chunks are added below, with the paths of this machine.
    if (name.endsWith(".map")) return []
    const kind = name.endsWith(".wasm") ? "wasm" : "file"
    return [{ name, kind, bytes: typeof file.source === "string" ? Buffer.from(file.source) : file.source }]
  }
  const code: CodeFile = { name, kind: "module", bytes: Buffer.from(file.code) }
  return file.map === null ? [code] : [code, { name: `${name}.map`, kind: "file", bytes: mapOf(file.map, root) }]
}

/**
 * A source map whose sources are absolute paths of this machine, without their text, so that a person can open the
 * files of a stack.
 *
 * Mappings of packages stay, because a stack leads through them.
 */
const mapOf = (map: { toString(): string }, root: string): Buffer => {
  const { mappings, names, sources, version } = JSON.parse(map.toString()) as {
    readonly version: number
    readonly sources: ReadonlyArray<string>
    readonly names: ReadonlyArray<string>
    readonly mappings: string
  }
  const placed = sources.map((source) => (isAbsolute(source) ? source : resolve(join(root, source))))
  return Buffer.from(JSON.stringify({ version, sources: placed, names, mappings }))
}
