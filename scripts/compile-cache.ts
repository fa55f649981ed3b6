/**
 * Puts the code that V8 has compiled into an image, so that its runners need not compile it:
 * `node scripts/compile-cache.ts <entry> [uid]`.
 *
 * To be run by the very Node of the image, which throws the cache of another one away; the variables of `compileCache` tell
 * it where the cache is.
 */
import { readdirSync, renameSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as FlameLayer from "../src/FlameLayer.ts"

/** The variables by which a program in that folder finds its cache, wherever the folder was when it was filled. */
export const compileCache = (folder: string): Record<string, string> => ({
  NODE_COMPILE_CACHE: join(folder, ".compile-cache"),
  NODE_COMPILE_CACHE_PORTABLE: "1"
})

/**
 * Boots one runner of a bundled program, at whose end Node writes what it has compiled.
 *
 * `uid` is the user of the image: each has a cache of its own, whose folder's name ends in that number.
 */
export const fillCompileCache = async (entry: string, uid?: number): Promise<void> => {
  const variables = compileCache(dirname(entry))
  const runners = FlameLayer.local({ entry, min: 1, max: 1, awaitMin: true, env: variables })
  await Effect.runPromise(Effect.scoped(Effect.asVoid(Layer.build(runners))))
  const folder = variables["NODE_COMPILE_CACHE"]!
  const own = `-${process.getuid?.()}`
  const written = readdirSync(folder).find((name) => name.endsWith(own))
  if (written === undefined) throw new Error(`Node has not written what it compiled to ${folder}`)
  if (uid !== undefined) renameSync(join(folder, written), join(folder, `${written.slice(0, -own.length)}-${uid}`))
}

const [, main, entry, uid] = process.argv
if (main === fileURLToPath(import.meta.url)) {
  if (entry === undefined) throw new Error("say of what: node scripts/compile-cache.ts <entry> [uid]")
  await fillCompileCache(entry, uid === undefined ? undefined : Number(uid))
}
