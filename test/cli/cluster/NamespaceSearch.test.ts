import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NamespaceSearch from "../../../src/cli/cluster/NamespaceSearch.ts"
import { gc } from "../../../src/cli/GcCommand.ts"
import * as MemoryCluster from "../kit/MemoryCluster.ts"
import * as Output from "../kit/Output.ts"

const withNamespaces = (...names: ReadonlyArray<string>) => ({
  objects: { namespaces: names.map((name) => ({ metadata: { name } })) }
})

it.effect("a namespace that does not exist fails gc, with the name that was meant [C287]", () =>
  Effect.gen(function* () {
    const missing = yield* Effect.flip(
      Effect.provide(gc(true, true), MemoryCluster.layer(withNamespaces("default", "shops")))
    )
    assert.match(missing.message, /^there is no namespace shop on \S+; did you mean shops\?$/)
  })
)

it.effect("an empty namespace, and one that this user may not look at, are no failure [C287]", () =>
  Effect.gen(function* () {
    const refused = MemoryCluster.refusal("get", "namespaces", 403, "forbidden")
    for (const options of [withNamespaces("shop"), { failing: { "get namespaces": refused } }]) {
      const { exit, stdout } = yield* Output.printedBy(Effect.provide(gc(true, true), MemoryCluster.layer(options)))
      assert.strictEqual(exit._tag, "Success")
      assert.deepStrictEqual(JSON.parse(stdout).left, [])
    }
  })
)

it("a name far from all others suggests none", () => {
  assert.strictEqual(NamespaceSearch.nearest("shop", ["web", "default"]), undefined)
  assert.strictEqual(NamespaceSearch.nearest("shpo", ["web", "ship-it", "shop"]), "shop")
  assert.strictEqual(NamespaceSearch.nearest("checkuot", ["web", "checkout"]), "checkout")
})
