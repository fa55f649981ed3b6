import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Entry from "../../src/process/Entry.ts"

const frame = (scriptName: string, functionName = "") => ({ scriptName, functionName })

describe("the entry found in a stack", () => {
  const program = "/app/main.ts"

  it("[C230] is the module that calls while it is loaded", () => {
    assert.strictEqual(Entry.fileOf([frame("file:///app/main.ts")], program), "file:///app/main.ts")
    // A module that the program imports counts as a program of its own.
    assert.strictEqual(Entry.fileOf([frame("file:///app/flame.ts")], program), "file:///app/flame.ts")
  })

  it("[C230] is the program that calls a shared start(), not the module of start()", () => {
    const frames = [frame("file:///app/shared.ts", "start"), frame("file:///app/main.ts"), frame("node:internal/x")]
    assert.strictEqual(Entry.fileOf(frames, program), "file:///app/main.ts")
  })

  it("[C230] is the program that Node was started with, when a function calls after an await", () => {
    assert.strictEqual(Entry.fileOf([frame("file:///app/shared.ts", "start")], program), program)
    assert.strictEqual(Entry.fileOf([frame("file:///app/shared.ts", "start")], undefined), "file:///app/shared.ts")
  })

  it("is never a file of a library, a module of Node, or code from --eval", () => {
    const library = frame("file:///app/node_modules/effect/dist/Effect.js")
    assert.strictEqual(Entry.fileOf([frame("file:///app/main.ts"), library], program), "file:///app/main.ts")
    assert.isUndefined(Entry.fileOf([frame("[eval1]"), frame("")], undefined))
  })
})

describe("an entry as a path", () => {
  it("is the path of a file URL, of its text, or a path relative to the directory", () => {
    assert.strictEqual(Entry.pathOf(new URL("file:///a%20b/c.ts")), "/a b/c.ts")
    assert.strictEqual(Entry.pathOf("file:///a%20b/c.ts"), "/a b/c.ts")
    assert.strictEqual(Entry.pathOf("c.ts"), `${process.cwd()}/c.ts`)
    assert.isUndefined(Entry.pathOf("https://example.org/c.ts"))
  })

  it("[C230] may be a built file beside its source", () => {
    assert.deepStrictEqual(Entry.candidates("/a/b.ts"), ["/a/b.ts", "/a/b.js", "/a/b.mjs", "/a/b.cjs"])
    assert.deepStrictEqual(Entry.candidates("/a/b.mts"), ["/a/b.mts", "/a/b.mjs", "/a/b.js"])
    assert.deepStrictEqual(Entry.candidates("/a/b.js"), ["/a/b.js"])
  })

  it("is the built file where the source is not there, as in an image [C364]", () => {
    const folder = mkdtempSync(join(tmpdir(), "entry-"))
    try {
      assert.isUndefined(Entry.built(join(folder, "runner.ts")))
      writeFileSync(join(folder, "runner.mjs"), "")
      assert.strictEqual(Entry.built(join(folder, "runner.ts")), join(folder, "runner.mjs"))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
