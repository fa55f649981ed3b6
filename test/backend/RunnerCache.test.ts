import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { folderOf, variables } from "../../src/backend/RunnerCache.ts"
import { cacheVariable, preload, prefix } from "../../src/process/RoleVariables.ts"

const root = realpathSync(mkdtempSync(join(tmpdir(), "runner-cache-")))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const app = join(root, "app")
const cache = join(app, "node_modules", ".cache", "effect-flame")
mkdirSync(join(app, "node_modules"), { recursive: true })
mkdirSync(join(app, "dist"))

describe("the folder for compiled code", () => {
  it("is in the nearest node_modules above the entry [C323]", () => {
    assert.strictEqual(folderOf(join(app, "dist", "runner.mjs")), cache)
    assert.strictEqual(folderOf(join(app, "runner.mjs")), cache)
  })

  it("is none where no folder above the entry has a node_modules [C323]", () => {
    assert.isUndefined(folderOf(join(root, "runner.mjs")))
  })

  it("is none where other users may write to the node_modules, since they could put code there [C323]", () => {
    const shared = join(root, "shared")
    mkdirSync(join(shared, "node_modules"), { recursive: true })
    assert.isDefined(folderOf(join(shared, "runner.mjs")))
    chmodSync(join(shared, "node_modules"), 0o777)
    assert.isUndefined(folderOf(join(shared, "runner.mjs")))
  })

  it("is not named to a runner whose environment decides about compiled code [C323]", () => {
    const entry = join(app, "runner.mjs")
    assert.deepStrictEqual(variables(entry, {}), { [cacheVariable]: cache })
    for (const name of ["NODE_COMPILE_CACHE", "NODE_DISABLE_COMPILE_CACHE", "NODE_V8_COVERAGE"]) {
      assert.deepStrictEqual(variables(entry, { [name]: "1" }), {})
    }
  })
})

it("a runner stores its compiled code there, and no process that it starts does [C323]", () => {
  const entry = join(app, "runner.ts")
  writeFileSync(
    entry,
    `import { getCompileCacheDir } from "node:module"
     import { execFileSync } from "node:child_process"
     const child = execFileSync(process.execPath, ["-p", "require('module').getCompileCacheDir()"], { encoding: "utf8" })
     const own: string | undefined = getCompileCacheDir()
     console.log(JSON.stringify({ own, child: child.trim() }))`
  )
  const { NODE_COMPILE_CACHE: _, ...env } = process.env
  const role = { [`${prefix}ID`]: "cache-1", ...variables(entry, {}) }
  const out = execFileSync(process.execPath, [preload, entry], { env: { ...env, ...role }, encoding: "utf8" })
  const { child, own } = JSON.parse(out) as { readonly child: string; readonly own: string | undefined }
  assert.isTrue(own?.startsWith(cache))
  assert.strictEqual(child, "undefined")
  assert.isAbove(readdirSync(own).length, 0)
})
