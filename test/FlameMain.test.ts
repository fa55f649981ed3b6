import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Flame from "../src/Flame.ts"
import * as FlameLayer from "../src/FlameLayer.ts"
import { fixture } from "./fixtures/process/kit.ts"
import { started } from "./fixtures/process/leaver.ts"

const output = async (...args: ReadonlyArray<string>): Promise<string> =>
  (await promisify(execFile)(process.execPath, [...args])).stdout.trim()

const path = (name: string) => fileURLToPath(fixture(name))

describe("Flame.main", () => {
  it("[C229] [C231] builds the services of one pool only in the runners of that pool, which know their role", async () => {
    const said = JSON.parse((await output(path("pools.ts"))).split("\n").at(-1)!)
    assert.deepStrictEqual(said, ["driver on app/Gpu", "disk Runner", "FunctionMissing"])
  })

  it("[C230] uses the program that calls it through a shared start() as the entry of its runners", async () => {
    assert.strictEqual(await output(path("starts.ts")), path("starts.ts"))
  })
})

describe("an entry that is written as a .ts file", () => {
  it.live("[C230] is resolved to the .js that was built from it", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "effect-flame-built-"))
      try {
        writeFileSync(join(folder, "runner.js"), `import(${JSON.stringify(fixture("leaver-entry.ts").href)})`)
        writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
        const entry = new URL(`file://${folder}/runner.ts`)
        const { cwd } = yield* Effect.provide(Flame.call(started), FlameLayer.local({ entry, max: 1 }))
        assert.strictEqual(cwd, process.cwd())
        const missing = yield* Effect.flip(
          Effect.provide(Flame.call(started), FlameLayer.local({ entry: new URL(`file://${folder}/runer.ts`), max: 1 }))
        )
        assert.include(missing.message, "its folder has runner.js")
      } finally {
        rmSync(folder, { recursive: true })
      }
    })
  )
})
