/**
 * The package `rolldown`, an optional peer: loaded when code is bundled, and only then.
 *
 * The types here are the part that this library uses, so that no declaration of ours names the package.
 */
import { CodeUnbundled } from "../error/CodeFailure.ts"

/** A file of a bundle. */
export type OutputFile =
  | {
      readonly type: "chunk"
      readonly fileName: string
      readonly code: string
      readonly map: { toString(): string; readonly sources: ReadonlyArray<string> } | null
      readonly moduleIds: ReadonlyArray<string>
    }
  | { readonly type: "asset"; readonly fileName: string; readonly source: string | Uint8Array }

/** The requests of a plugin to the bundler. */
export interface PluginContext {
  resolve(
    source: string,
    importer: string | undefined,
    options: { readonly skipSelf: boolean; readonly kind?: string }
  ): Promise<{ readonly id: string; readonly external: unknown } | null>
  emitFile(
    file:
      | { readonly type: "chunk"; readonly id: string; readonly name?: string }
      | { readonly type: "asset"; readonly name: string; readonly source: Uint8Array }
  ): string
  getFileName(reference: string): string
}

type Resolution = { readonly id: string; readonly external?: boolean | "relative" } | null

/** A plugin of the bundler. */
export interface Plugin {
  readonly name: string
  readonly resolveId?: {
    readonly order?: "pre"
    readonly filter?: { readonly id: RegExp }
    readonly handler: (
      this: PluginContext,
      source: string,
      importer: string | undefined,
      extra: { readonly kind: string }
    ) => Promise<Resolution> | Resolution
  }
  readonly load?: (id: string) => { readonly code: string; readonly map: string | null } | null
  readonly transform?: {
    readonly filter?: { readonly id?: { readonly include?: RegExp; readonly exclude?: RegExp }; readonly code?: RegExp }
    readonly handler: (
      this: PluginContext,
      code: string,
      id: string
    ) => Promise<{ readonly code: string; readonly map: null } | undefined>
  }
}

/** A log entry of the bundler. */
export interface BundlerLog {
  readonly code?: string
  readonly message: string
  readonly id?: string
  readonly exporter?: string
}

/** Options of the bundler that this library sets. */
export interface InputOptions {
  readonly input: Readonly<Record<string, string>>
  readonly platform: "node"
  readonly resolve?: { readonly conditionNames: ReadonlyArray<string> }
  readonly external: (id: string) => boolean
  readonly treeshake:
    | false
    | { readonly moduleSideEffects: ReadonlyArray<{ readonly test: RegExp; readonly sideEffects: boolean }> }
  readonly transform?: { readonly define: Readonly<Record<string, string>> }
  readonly plugins: ReadonlyArray<Plugin>
  readonly onLog: (level: string, log: BundlerLog) => void
  readonly cwd?: string
}

/** Options of what the bundler writes. */
export interface OutputOptions {
  readonly dir: string
  readonly format: "esm" | "cjs"
  readonly minify: boolean | object
  readonly charset: "ascii"
  readonly sourcemap: boolean | "hidden"
  readonly entryFileNames: string
  readonly chunkFileNames?: string
  readonly assetFileNames?: string
  readonly codeSplitting: false | { readonly groups: ReadonlyArray<{ readonly name: string; readonly test: RegExp }> }
  readonly banner?: string
  readonly footer?: string
  readonly dynamicImportInCjs?: boolean
}

/** The exports of the package that this library uses. */
export interface BundlerLibrary {
  readonly rolldown: (options: InputOptions) => Promise<{
    generate(options: OutputOptions): Promise<{ readonly output: ReadonlyArray<OutputFile> }>
    close(): Promise<void>
    readonly watchFiles: Promise<ReadonlyArray<string>>
  }>
}

/** The package's name, in a variable: a bundler that sees an import of the package would put it into every app. */
const packageName = ["roll", "down"].join("")

/** Loads the package. Rejects with the command that installs the package if it is missing. */
export const load = async (entry: string): Promise<BundlerLibrary> => {
  try {
    return (await import(/* webpackIgnore: true */ /* @vite-ignore */ packageName)) as BundlerLibrary
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const isMissing = code === "ERR_MODULE_NOT_FOUND" && message.includes(packageName)
    throw new CodeUnbundled({
      entry,
      detail: isMissing
        ? `runners get the code of this program from a bundler, and the package ${packageName} is not installed: run \`npm install --save-dev ${packageName}\`, or name an image that has the program in the option \`image\``
        : `the package ${packageName} cannot be loaded: ${message}`
    })
  }
}
