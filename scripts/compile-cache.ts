/**
 * Puts the code that V8 has compiled beside a bundle: `node scripts/compile-cache.ts <entry> [uid]`.
 *
 * Run it with the Node of the image: Node ignores the cache of another version.
 */
import { fileURLToPath } from "node:url"
import { fillCompileCache } from "../src/code/CompileCache.ts"

export { compileCache, fillCompileCache } from "../src/code/CompileCache.ts"

const [, main, entry, uid] = process.argv
if (main === fileURLToPath(import.meta.url)) {
  if (entry === undefined) throw new Error("the entry is missing: node scripts/compile-cache.ts <entry> [uid]")
  await fillCompileCache(entry, uid === undefined ? undefined : Number(uid))
}
