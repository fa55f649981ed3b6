import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { build } from "../../src/cli/BuildCommand.ts"

/** A folder that the end of the Scope deletes. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-build-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** Runs a command, and gives the text that it prints to standard output. */
const printedBy = <E>(command: Effect.Effect<void, E>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const console = { ...globalThis.console, log: (text: string) => void lines.push(text) } as Console.Console
    yield* Effect.provideService(command, Console.Console, console)
    return lines.join("\n")
  })

it.live("build --json lists the files that it has written, the entry among them", () =>
  Effect.gen(function* () {
    const path = yield* folder
    writeFileSync(join(path, "main.ts"), "export const answer: number = 42\n")
    const options = { folder: join(path, "out") }
    const text = yield* printedBy(build(join(path, "main.ts"), options, true))
    const { entry, files, kind, version } = JSON.parse(text)
    assert.deepStrictEqual({ kind, version }, { kind: "build", version: 1 })
    assert.match(entry, /out\/main\.mjs$/)
    assert.include(
      files.map(({ name }: { name: string }) => name),
      "main.mjs"
    )
  }).pipe(Effect.scoped)
)

it.live("build of a file that is not there fails with its name", () =>
  Effect.gen(function* () {
    const path = yield* folder
    const failed = yield* Effect.flip(build(join(path, "nowhere.ts"), { folder: join(path, "out") }, false))
    assert.strictEqual(failed.status, 1)
    assert.include(failed.message, "nowhere.ts")
  }).pipe(Effect.scoped)
)
