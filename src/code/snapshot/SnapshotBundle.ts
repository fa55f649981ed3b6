/** The one file of a program that Node makes a snapshot of: CommonJS, with all that the program imports. */
import { join, posix } from "node:path"
import { load } from "../BundlerLibrary.ts"
import type { CodeFile } from "../CodePack.ts"
import { banner, footer, meta } from "./SnapshotScript.ts"

/** The text of a program, and its source map. */
export interface SnapshotBundle {
  readonly code: string
  readonly map: string
}

/**
 * Joins the files of a bundled program. They have source maps, so that a position leads to the user's file.
 *
 * The program is not bundled from its sources again: files that its code names by their path are those of the first bundle.
 */
export const bundleSnapshot = async (name: string, files: ReadonlyArray<CodeFile>): Promise<SnapshotBundle> => {
  const entry = `/${name}.mjs`
  const { rolldown } = await load(entry)
  const texts = new Map(files.map((file) => [`/${file.name}`, file.bytes]))
  const text = (path: string): string | null => {
    const bytes = texts.get(path)
    return bytes === undefined ? null : Buffer.from(bytes).toString("utf8")
  }
  const bundle = await rolldown({
    input: { [name]: entry },
    platform: "node",
    treeshake: false,
    external: (id) => !texts.has(id) && !/^[./]/.test(id),
    transform: {
      define: Object.fromEntries(["url", "dirname", "filename"].map((key) => [`import.meta.${key}`, `${meta}.${key}`]))
    },
    plugins: [
      {
        name: "effect-flame: files of the bundle",
        resolveId: {
          order: "pre",
          handler: (source, importer) => {
            const path = importer === undefined ? source : posix.join(posix.dirname(importer), source)
            return /^[./]/.test(source) && texts.has(path) ? { id: path } : null
          }
        },
        load: (id) => {
          const code = text(id)
          return code === null ? null : { code, map: text(`${id}.map`) }
        }
      }
    ],
    onLog: () => {}
  })
  try {
    const { output } = await bundle.generate({
      dir: join("/"),
      format: "cjs",
      charset: "ascii",
      minify: false,
      sourcemap: "hidden",
      entryFileNames: "[name].cjs",
      codeSplitting: false,
      dynamicImportInCjs: false,
      banner: banner(),
      footer
    })
    const chunk = output.find((file) => file.type === "chunk")
    if (chunk === undefined || chunk.map === null) throw new Error("the bundler has made no chunk")
    return { code: chunk.code, map: chunk.map.toString() }
  } finally {
    await bundle.close()
  }
}
