/**
 * Puts the code that V8 has compiled beside a bundle, so that runners need not compile it again. Node ignores the cache of
 * another version of itself, and of another user.
 */
import { spawn } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { crc32 } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { keyVariable, networkVariables } from "../process/RoleVariables.ts"
import { encode, json, Kind } from "../wire/Frame.ts"
import { Parser } from "../wire/FrameParser.ts"
import type { Welcome } from "../wire/Handshake.ts"
import * as Listener from "../wire/network/Listener.ts"
import * as Psk from "../wire/network/Psk.ts"
import type { Transport } from "../wire/Transport.ts"
import { codeSuffix, compiledCodeHook } from "./CompiledCode.ts"

/** The variables that name the cache of a folder to Node. The folder may have moved since the cache was filled. */
export const compileCache = (folder: string): Record<string, string> => ({
  NODE_COMPILE_CACHE: join(folder, ".compile-cache"),
  NODE_COMPILE_CACHE_PORTABLE: "1"
})

/**
 * Boots one runner of a bundled program and ends it. Node then writes its cache, which holds functions compiled before the
 * entry ran. Replaces that code by all code that V8 had compiled at the end.
 *
 * `uid` is the user of the image. Node keeps a cache for each user, in a folder whose name ends in that number. Rejects
 * where the program does not become a runner.
 */
export const fillCompileCache = async (entry: string, uid?: number): Promise<void> => {
  const folder = dirname(entry)
  const variables = compileCache(folder)
  const cache = variables["NODE_COMPILE_CACHE"]!
  const own = `-${process.getuid?.()}`
  // Node fills a new cache, which has no code of an earlier build. Portable caches name modules by the path from the
  // cache, so the new one lies where the old one does.
  const filled = mkdtempSync(`${cache}-`)
  const code = mkdtempSync(join(tmpdir(), "effect-flame-code-"))
  try {
    await Effect.runPromise(Effect.scoped(bootOnce(entry, { ...variables, NODE_COMPILE_CACHE: filled }, code)))
    const written = readdirSync(filled).find((name) => name.endsWith(own))
    if (written === undefined) throw new Error(`Node wrote no compile cache to ${filled}`)
    replaceCode(join(filled, written), folder, code)
    const target = join(cache, uid === undefined ? written : `${written.slice(0, -own.length)}-${uid}`)
    mkdirSync(cache, { recursive: true })
    // A folder of an earlier build cannot be renamed over.
    rmSync(target, { recursive: true, force: true })
    renameSync(join(filled, written), target)
  } finally {
    for (const made of [filled, code]) rmSync(made, { recursive: true, force: true })
  }
}

const terms: Welcome = { cancelGrace: 1_000, drainTimeout: 1_000, maxPayload: 1e6, maxResult: 1e6 }

/** Boots one runner that dials back, as runners of the image do. No call is sent, because a call can do anything. */
const bootOnce = Effect.fnUntraced(function* (entry: string, variables: Record<string, string>, into: string) {
  const listener = yield* Listener.make({ master: Psk.makeMaster(), life: "image", host: "127.0.0.1", port: 0 })
  const { identity, key, transport } = listener.expect(1)
  const spec = { ...terms, life: "image", id: "image-1", pool: "image", bootTimeout: 60_000 }
  const role = networkVariables(spec, identity, { address: `127.0.0.1:${listener.port}` })
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--no-warnings", "--expose-internals", `--import=${compiledCodeHook(into)}`, entry], {
        env: { ...process.env, ...variables, ...role, [keyVariable]: Redacted.value(key) },
        stdio: ["ignore", "ignore", "inherit"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const ended = new Promise((resolve) => child.once("exit", resolve))
  const code = Effect.promise(() => ended)
  const fails = Effect.flatMap(code, (code) =>
    Effect.fail(new Error(`${entry} does not run as a runner: it ended with ${String(code)}`))
  )
  const pipe = yield* Effect.raceFirst(Effect.flatMap(transport, welcome), fails)
  // the runner prepares the codecs of its functions now
  yield* Effect.sleep("500 millis")
  const budget = Buffer.alloc(4)
  budget.writeUInt32BE(terms.drainTimeout, 0)
  pipe.write([encode(Kind.Drain, 0, budget)])
  const exitCode = yield* code
  if (exitCode !== 0) {
    return yield* Effect.fail(new Error(`${entry} ended with ${String(exitCode)} after it was drained`))
  }
})

/** Lets the runner in when it introduces itself. */
const welcome = (transport: Transport): Effect.Effect<Transport, Error> =>
  Effect.callback<Transport, Error>((resume) => {
    const parser = new Parser({
      frame: (kind, _id, body) => {
        if (kind === Kind.Fail) return resume(Effect.fail(new Error(`it cannot serve: ${body.toString("utf8")}`)))
        if (kind !== Kind.Hello) return
        transport.write([encode(Kind.Welcome, 0, json(terms))])
        resume(Effect.succeed(transport))
      },
      part: () => {},
      violation: (detail) => resume(Effect.fail(new Error(detail)))
    })
    transport.start({
      data: (chunk) => parser.push(chunk),
      drained: () => {},
      closed: () => resume(Effect.fail(new Error("its connection ended before it served")))
    })
  })

/** Replaces the code in each file of the cache by the code of the module after it ran, which lies in the folder `ran`. */
const replaceCode = (cache: string, folder: string, ran: string): void => {
  const sources = new Map(
    readdirSync(folder)
      .filter((name) => existsSync(join(ran, name + codeSuffix)))
      .map((name) => [crc32(readFileSync(join(folder, name))), join(ran, name + codeSuffix)])
  )
  for (const name of readdirSync(cache)) {
    const file = join(cache, name)
    const before = readFileSync(file)
    // modules outside of the bundle keep their code
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
    throw new Error(`Node ${process.version} writes its compile cache in a format that this version does not know`)
  }
  head.writeUInt32LE(code.length, 8)
  head.writeUInt32LE(crc32(code), 16)
  return Buffer.concat([head, code])
}
