import { assert, describe, it } from "@effect/vitest"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { CodeOptions } from "../../../src/backend.ts"
import * as Flame from "../../../src/Flame.ts"
import { environment } from "../../fixtures/code/functions.ts"
import { bootFailure, fixture, type FarOptions, pool } from "./kit.ts"

const cache = join(import.meta.dirname, "../../../.cache")

/** A program of one file, beside packages, until the scope closes. */
const entryOf = (text: string, packages: Readonly<Record<string, string>> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(cache, { recursive: true })
      const folder = mkdtempSync(join(cache, "entry-"))
      const entry = join(folder, "main.ts")
      writeFileSync(entry, text)
      for (const [name, code] of Object.entries(packages)) {
        mkdirSync(join(folder, "node_modules", name), { recursive: true })
        writeFileSync(join(folder, "node_modules", name, "index.js"), code)
      }
      return entry
    }),
    (entry) => Effect.sync(() => rmSync(join(entry, ".."), { recursive: true }))
  )

const failing = (
  title: string,
  text: string | undefined,
  tag: string,
  words: RegExp,
  options: FarOptions & { readonly code?: CodeOptions; readonly packages?: Readonly<Record<string, string>> } = {}
) =>
  it.live(title, () =>
    Effect.gen(function* () {
      const entry = text === undefined ? fixture("runner.ts") : yield* entryOf(text, options.packages)
      const cause = yield* bootFailure(Flame.call(environment)).pipe(
        Effect.provide(pool({ entry, ...options.code }, options))
      )
      assert.strictEqual(cause._tag, tag)
      assert.match(cause.message, words)
    })
  )

const version = (text: string) =>
  `--import=data:text/javascript,Object.defineProperty(process.versions,"node",{value:"${text}"})`

describe("a runner that gets its code from its parent", () => {
  failing(
    "for a hash that the parent does not have fails with CodeMismatch [C263]",
    "console.log(1)",
    "CodeMismatch",
    /started for code aaaaaaaaaaaa, but its parent has/,
    { change: (args) => args.map((arg) => (/^[0-9a-f]{64}$/.test(arg) ? "a".repeat(64) : arg)) }
  )
  failing(
    "whose image lacks a package of `external` fails with CodeUnresolved [C264]",
    "import 'not-in-the-image'",
    "CodeUnresolved",
    /does not find not-in-the-image, which its code imports: .*install it in the image below .*flame-nothing-/,
    { code: { external: ["not-in-the-image"] } }
  )
  failing(
    "with an older Node fails with NodeTooOld, before it connects [C265]",
    "console.log(1)",
    "NodeTooOld",
    /has Node 20\.11\.1, and effect-flame needs 22\.19 or newer/,
    { change: (args) => [version("20.11.1"), ...args] }
  )
  failing(
    "that cannot write the files of its code fails with CodeUnwritten, which names the folder [C266]",
    undefined,
    "CodeUnwritten",
    /cannot write the files of its code to \/proc\/nothing: ENOENT.*TMPDIR/,
    { env: ["TMPDIR=/proc/nothing"] }
  )
  failing(
    "whose program throws while it loads fails with the line of the source [C267]",
    "const first = 1\nconst boom = (): never => {\n  throw new Error('not today')\n}\nboom()\nexport { first }",
    "Crashed",
    /Error: not today\n +at .*main\.ts:3:\d+\n +at .*main\.ts:5:1/
  )

  failing(
    "that gets SIGTERM while its program loads exits with 143, also as process 1 [C276]",
    "process.kill(process.pid, 'SIGTERM')\nawait new Promise((resolve) => setTimeout(resolve, 60_000))",
    "ProcessExited",
    /exited with code 143/
  )
  failing(
    "leaves SIGTERM to a program that listens for it [C276]",
    `process.on("SIGTERM", () => process.exit(7))
await Promise.resolve()
process.kill(process.pid, "SIGTERM")
await new Promise((resolve) => setTimeout(resolve, 60_000))`,
    "ProcessExited",
    /exited with code 7/
  )

  failing(
    "with a package that reads files of its own while it loads fails with CodeNative, which names the package [C274]",
    "import data from 'reads-files'\nconsole.log(data)",
    "CodeNative",
    /reads-files cannot be sent to runners: it reads files of its own \(ENOENT.*node_modules\/reads-files\/data\.txt/,
    { packages: { "reads-files": "module.exports = require('fs').readFileSync(__dirname + '/data.txt', 'utf8')" } }
  )
  failing(
    "with a package that asks for its addon while it loads fails with CodeNative, which names the package [C274]",
    "import addon from 'wraps-addon'\nconsole.log(addon)",
    "CodeNative",
    /wraps-addon cannot be sent to runners: sum\.node is a native addon, and .*wraps-addon.index\.js imports it/,
    { packages: { "wraps-addon": "module.exports = require('./sum.node')" } }
  )
})
