/** Tests that the documents print the screens of today. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { blocksOf } from "../../scripts/docs/Block.ts"
import * as Printed from "./kit/Printed.ts"

/** The outputs that a page prints: its blocks of plain text that belong to no program. */
const printedBy = (page: string): ReadonlyArray<string> =>
  blocksOf(page, readFileSync(join(import.meta.dirname, "../../docs", page), "utf8"))
    .filter(({ info, language }) => language === "text" && info["output"] === undefined)
    .map(({ code }) => code.trimEnd())

const textOf = (screens: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> =>
  screens.map((lines) => lines.join("\n").trimEnd())

describe("outputs of commands in documents", () => {
  it("those of docs/operations.md are what the commands print today [C483]", () => {
    assert.deepStrictEqual(printedBy("operations.md"), textOf(Printed.operations))
  })

  it.effect("those of docs/command-line.md are what the commands print today [C483]", () =>
    Effect.map(Printed.commandLine, (screens) => assert.deepStrictEqual(printedBy("command-line.md"), textOf(screens)))
  )
})
