/**
 * Puts the code that V8 has compiled into an image, so that runners need not compile it again:
 * `node scripts/compile-cache.ts <entry> [uid]`.
 *
 * Run it with the Node of the image: Node ignores the cache of another version. The variables of `compileCache` name the
 * cache to Node.
 */
import { spawn } from "node:child_process"
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { crc32 } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { keyVariable, networkVariables } from "../src/process/RoleVariables.ts"
import { connect } from "../src/pool/engine/Introduction.ts"
import * as Listener from "../src/wire/network/Listener.ts"
import * as Psk from "../src/wire/network/Psk.ts"

/** The variables that name the cache of a folder to Node. The folder may have moved since the cache was filled. */
export const compileCache = (folder: string): Record<string, string> => ({
  NODE_COMPILE_CACHE: join(folder, ".compile-cache"),
  NODE_COMPILE_CACHE_PORTABLE: "1"
})

/**
 * Boots one runner of a bundled program and ends it. Node then writes its cache, which holds functions compiled before the
 * entry ran. Replaces that code by all code that V8 had compiled at the end.
 *
 * `uid` is the user of the image. Node keeps a cache for each user, in a folder whose name ends in that number.
 */
export const fillCompileCache = async (entry: string, uid?: number): Promise<void> => {
  const folder = dirname(entry)
  const variables = compileCache(folder)
  const cache = variables["NODE_COMPILE_CACHE"]!
  const own = `-${process.getuid?.()}`
  let written: string | undefined
  try {
    await Effect.runPromise(Effect.scoped(bootOnce(entry, variables)))
    written = readdirSync(cache).find((name) => name.endsWith(own))
    if (written === undefined) throw new Error(`Node wrote no compile cache to ${cache}`)
    complete(join(cache, written), folder)
  } finally {
    for (const name of readdirSync(folder)) if (name.endsWith(codeSuffix)) rmSync(join(folder, name))
  }
  if (uid !== undefined) renameSync(join(cache, written), join(cache, `${written.slice(0, -own.length)}-${uid}`))
}

/** Suffix of the file with the compiled code of a module, beside the module. */
const codeSuffix = ".code"

const terms = { life: "image", runner: "image-1", cancelGrace: 1_000, drainTimeout: 1_000 }

/** Boots one runner that dials back, as runners of the image do. No call is sent, because a call can do anything. */
const bootOnce = Effect.fnUntraced(function* (entry: string, variables: Record<string, string>) {
  const { life, runner } = terms
  const listener = yield* Listener.make({ master: Psk.makeMaster(), life, host: "127.0.0.1", port: 0 })
  const { identity, key, transport } = listener.expect(1)
  const spec = { ...terms, id: runner, pool: "image", bootTimeout: 60_000 }
  const role = networkVariables(spec, identity, { address: `127.0.0.1:${listener.port}` })
  const hook = fileURLToPath(new URL("./compiled-code.mjs", import.meta.url))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--no-warnings", "--expose-internals", "--import", hook, entry], {
        env: { ...process.env, ...variables, ...role, [keyVariable]: Redacted.value(key) },
        stdio: ["ignore", "ignore", "inherit"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const ended = new Promise((resolve) => child.once("exit", resolve))
  const serves = Effect.flatMap(transport, (pipe) =>
    connect(pipe, { ...terms, fingerprints: new Map(), maxPayload: 1e6, maxResult: 1e6 })
  )
  const fails = Effect.flatMap(
    Effect.promise(() => ended),
    (code) => Effect.fail(new Error(`${entry} does not run as a runner: it ended with ${String(code)}`))
  )
  const handle = yield* Effect.raceFirst(serves, fails)
  // A runner prepares the codecs of its functions after it has connected. Their code belongs in the cache.
  yield* Effect.sleep("500 millis")
  handle.drain(1_000)
  const code = yield* Effect.promise(() => ended)
  if (code !== 0) return yield* Effect.fail(new Error(`${entry} ended with ${String(code)} after it was drained`))
})

/** Replaces the code in each file of the cache by the code of the module after it ran. */
const complete = (cache: string, folder: string): void => {
  const sources = new Map(
    readdirSync(folder)
      .filter((name) => existsSync(join(folder, name + codeSuffix)))
      .map((name) => [crc32(readFileSync(join(folder, name))), join(folder, name + codeSuffix)])
  )
  for (const name of readdirSync(cache)) {
    const file = join(cache, name)
    const before = readFileSync(file)
    // Modules outside of the bundle keep the code that Node wrote.
    const code = sources.get(before.readUInt32LE(12))
    if (code !== undefined) writeFileSync(file, withCode(before, readFileSync(code)))
    // Node makes the files readable for their owner only, and a copy into an image makes root the owner.
    chmodSync(file, 0o644)
  }
}

/** A file of Node's cache: magic number, size of the source, size of the code, checksum of each, the code. */
const withCode = (file: Buffer, code: Buffer): Buffer => {
  const head = Buffer.from(file.subarray(0, 20))
  if (head.readUInt32LE(8) !== file.length - 20 || head.readUInt32LE(16) !== crc32(file.subarray(20))) {
    throw new Error(`Node ${process.version} writes its compile cache in a format that this script does not know`)
  }
  head.writeUInt32LE(code.length, 8)
  head.writeUInt32LE(crc32(code), 16)
  return Buffer.concat([head, code])
}

const [, main, entry, uid] = process.argv
if (main === fileURLToPath(import.meta.url)) {
  if (entry === undefined) throw new Error("the entry is missing: node scripts/compile-cache.ts <entry> [uid]")
  await fillCompileCache(entry, uid === undefined ? undefined : Number(uid))
}
