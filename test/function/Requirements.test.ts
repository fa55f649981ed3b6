import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { checkCopy, checkNode, noPods, noProcesses } from "../../src/function/Requirements.ts"

describe("Requirements", () => {
  it("accepts every Node from 22.19 on", () => {
    for (const version of ["22.19.0", "22.20.1", "24.0.0", "26.10.0", process.versions.node]) {
      assert.doesNotThrow(() => checkNode(version))
    }
  })

  it("refuses an older Node with one sentence that names both versions", () => {
    for (const version of ["22.18.9", "20.20.2", "18.0.0"]) {
      assert.throws(
        () => checkNode(version),
        `effect-flame needs Node 22.19 or newer, this is Node ${version}: run the program on a newer one`
      )
    }
  })

  it("refuses Windows, and pods on Bun and Deno, with one sentence each [C361]", () => {
    for (const system of ["linux", "darwin"]) {
      for (const runtime of ["Node", "Bun", "Deno"]) assert.isUndefined(noProcesses({ system, runtime }))
      assert.isUndefined(noPods({ system, runtime: "Node" }))
    }
    const windows = { system: "win32", runtime: "Node" }
    assert.strictEqual(
      noProcesses(windows),
      "effect-flame runs on Linux and macOS, this is Windows: run the program in WSL 2 or in a container"
    )
    assert.strictEqual(noPods(windows), noProcesses(windows))
    assert.strictEqual(
      noPods({ system: "linux", runtime: "Bun" }),
      "runners as pods need Node, this is Bun, which has no TLS with pre-shared keys: run the program on Node, or use FlameLayer.local"
    )
  })

  it("knows the schemas of its own copy of effect", () => {
    class Failed extends Schema.TaggedError<Failed>()("Failed", {}) {}
    const schemas = [Schema.String, Schema.Struct({ a: Schema.Int }), Schema.Union([Schema.Void, Schema.Never]), Failed]
    for (const schema of schemas) assert.doesNotThrow(() => checkCopy("own", schema))
  })

  it("refuses those of another copy, and says how to find it", async () => {
    // the same file under another address is another module
    const address = `${import.meta.resolve("effect/SchemaAST")}?another`
    const other = (await import(address)) as typeof SchemaAST
    const theirs = { ...Schema.String, ast: other.string }
    assert.throws(
      () => checkCopy("thumb", theirs as unknown as Schema.Top),
      /function thumb: .* another copy of effect .*npm ls effect/
    )
  })
})
