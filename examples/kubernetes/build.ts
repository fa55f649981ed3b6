/**
 * Makes the folder that an image holds: `node examples/kubernetes/build.ts <folder>`.
 *
 * The bundle boots many times as fast as the sources would, and faster with its code compiled already, by this Node; the
 * packages are what the program weighs.
 */
import { cpSync, mkdirSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bundle } from "../../scripts/bundle.ts"
import { fillCompileCache } from "../../scripts/compile-cache.ts"

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url))

/** The minifier, which has a native part that no bundle can hold. */
const needed = new Set(["rolldown", "@rolldown", "@oxc-project"])
/** Other packages are there only to be weighed: small ones, so that the image stays small. */
const largest = 512 * 1024

const size = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)

/** Who the image's programs run as. */
const user = 65532

/** Writes the bundle as `main.mjs`, and beside it the packages and what Node has compiled of it. */
export const build = async (folder: string): Promise<void> => {
  mkdirSync(folder, { recursive: true })
  await bundle({ main: fileURLToPath(new URL("./main.ts", import.meta.url)) }, folder)
  for (const name of readdirSync(modules)) {
    const from = join(modules, name)
    if (name.startsWith(".") || !statSync(from).isDirectory()) continue
    if (!needed.has(name) && size(from) > largest) continue
    cpSync(from, join(folder, "node_modules", name), { recursive: true, dereference: true })
  }
  await fillCompileCache(join(folder, "main.mjs"), user)
}

const [, main, folder] = process.argv
if (main === fileURLToPath(import.meta.url)) {
  if (folder === undefined) throw new Error("say where to: node examples/kubernetes/build.ts <folder>")
  await build(folder)
}
