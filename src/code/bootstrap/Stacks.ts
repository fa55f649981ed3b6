/**
 * Makes stacks name the files and lines that the user wrote.
 *
 * A map is parsed when a stack is read for the first time. `--enable-source-maps` would parse all maps while the code loads.
 */
import type { SourceMap } from "node:module"
import { builtin } from "../../function/Builtin.ts"
import { type CodeFile, mapSuffix } from "../CodePack.ts"

/** A frame prints itself as Node shows it, which its type does not declare. */
interface Printable {
  toString(): string
}

type Prepare = NonNullable<typeof Error.prepareStackTrace>

/** The two ways to name the user's own lines. */
export interface Stacks {
  /** A stack that was read before `install`. */
  readonly mapped: (stack: string) => string
  /** Makes each stack that is read from now on name them. */
  readonly install: () => void
}

/**
 * The stacks of files below `root`, by the source map of each file.
 *
 * Installed once the program has loaded: modules read stacks while they load, and each would cost a parse of the maps.
 */
export const make = (files: ReadonlyArray<CodeFile>, root: string): Stacks => {
  const packed = new Map(files.filter(({ name }) => name.endsWith(mapSuffix)).map(({ bytes, name }) => [name, bytes]))
  const maps = new Map<string, SourceMap | undefined>()
  const before = Error.prepareStackTrace
  const mapOf = (name: string): SourceMap | undefined => {
    if (maps.has(name)) return maps.get(name)
    const bytes = packed.get(name + mapSuffix)
    const map = bytes === undefined ? undefined : parse(bytes)
    maps.set(name, map)
    return map
  }
  const place = new RegExp(`${root.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}([^:]+):(\\d+):(\\d+)`, "g")
  const mapped = (text: string): string =>
    text.replace(place, (here: string, name: string, line: string, column: string) => {
      const found = mapOf(name)?.findEntry(Number(line) - 1, Number(column) - 1)
      if (found === undefined || !("originalSource" in found)) return here
      return `${found.originalSource}:${found.originalLine + 1}:${found.originalColumn + 1}`
    })
  const prepare: Prepare = (error, sites) => {
    let head = "Error"
    try {
      head = Error.prototype.toString.call(error)
    } catch {
      // an error whose name or message cannot be read
    }
    return mapped([head, ...sites.map((site) => `\n    at ${(site as Printable).toString()}`)].join(""))
  }
  return {
    mapped,
    install: () => {
      // a program that prepares stacks itself goes on doing so
      if (packed.size > 0 && Error.prepareStackTrace === before) Error.prepareStackTrace = prepare
    }
  }
}

const parse = (bytes: Uint8Array): SourceMap => {
  const { SourceMap } = builtin("node:module")
  return new SourceMap(JSON.parse(builtin("node:zlib").zstdDecompressSync(bytes).toString("utf8")))
}
