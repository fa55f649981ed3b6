/**
 * Makes stacks name the files and lines that the user wrote.
 *
 * Not by `--enable-source-maps`, which would parse the maps while the code loads: a map is parsed at the first stack that
 * somebody reads.
 */
import type { SourceMap } from "node:module"
import { builtin } from "../../function/Builtin.ts"
import type { CodeFile } from "../CodePack.ts"

/** A frame prints itself as Node shows it, which its type does not declare. */
interface Printable {
  toString(): string
}

type Prepare = NonNullable<typeof Error.prepareStackTrace>

/** Maps the frames of files below `root` by the file of the same name with `.map` at its end. */
export const mapStacks = (files: ReadonlyArray<CodeFile>, root: string): void => {
  const texts = new Map(files.filter(({ name }) => name.endsWith(".map")).map((file) => [file.name, file.bytes]))
  if (texts.size === 0) return
  const maps = new Map<string, SourceMap | undefined>()
  const mapOf = (name: string): SourceMap | undefined => {
    if (maps.has(name)) return maps.get(name)
    const text = texts.get(`${name}.map`)
    const { SourceMap } = builtin("node:module")
    const map = text === undefined ? undefined : new SourceMap(JSON.parse(Buffer.from(text).toString("utf8")))
    maps.set(name, map)
    return map
  }
  const place = new RegExp(`${root.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}([^:]+):(\\d+):(\\d+)`)
  const mapped = (frame: string): string =>
    frame.replace(place, (text: string, name: string, line: string, column: string) => {
      const found = mapOf(name)?.findEntry(Number(line) - 1, Number(column) - 1)
      if (found === undefined || !("originalSource" in found)) return text
      return `${found.originalSource}:${found.originalLine + 1}:${found.originalColumn + 1}`
    })
  const prepare: Prepare = (error, sites) => {
    let head = "Error"
    try {
      head = Error.prototype.toString.call(error)
    } catch {
      // An error whose name or message cannot be read.
    }
    return [head, ...sites.map((site) => `\n    at ${mapped((site as Printable).toString())}`)].join("")
  }
  Error.prepareStackTrace = prepare
}
