/**
 * Makes the folder of the image: `node --conditions=effect-flame-source examples/kubernetes/build.ts <folder>`.
 *
 * A bundle boots several times as fast as the sources, and faster still beside code that this Node has compiled. The
 * packages in the folder are the program's input: the service weighs them.
 */
import { cpSync, mkdirSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { bundle, type Built } from "effect-flame/build"

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url))

/** Packages of the minifier, whose native part cannot be bundled. */
const needed = new Set(["rolldown", "@rolldown", "@oxc-project"])
/** Largest size of other packages in bytes, so that the image stays small. */
const largest = 512 * 1024

const size = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)

/** User id of the image's programs. */
const user = 65532

/** Writes the bundle as `main.mjs`, the packages, and the compile cache of Node. */
export const build = async (folder: string): Promise<Built> => {
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(modules)) {
    const from = join(modules, name)
    if (name.startsWith(".") || !statSync(from).isDirectory()) continue
    if (!needed.has(name) && size(from) > largest) continue
    cpSync(from, join(folder, "node_modules", name), { recursive: true, dereference: true })
  }
  // last, because a runner boots once for the cache, and needs its packages
  return Effect.runPromise(bundle(new URL("./main.ts", import.meta.url), { folder, compileCache: { uid: user } }))
}

const [, main, folder] = process.argv
if (main === fileURLToPath(import.meta.url)) {
  if (folder === undefined)
    throw new Error("say where to: node --conditions=effect-flame-source examples/kubernetes/build.ts <folder>")
  await build(folder)
}
