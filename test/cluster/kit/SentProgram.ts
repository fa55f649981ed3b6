/** Programs that a test writes, and that their parent sends to pods of a stock image. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"

/** A program of one file of this package, and files beside it, until the scope closes. */
export const program = (text: string, files: Readonly<Record<string, Uint8Array>> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const cache = join(import.meta.dirname, "../../../.cache")
      mkdirSync(cache, { recursive: true })
      const folder = mkdtempSync(join(cache, "program-"))
      writeFileSync(join(folder, "main.ts"), text)
      for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes)
      return join(folder, "main.ts")
    }),
    (main) => Effect.sync(() => rmSync(join(main, ".."), { recursive: true }))
  )

/** The text of the path of a module of `src`. */
export const source = (name: string): string => JSON.stringify(join(import.meta.dirname, "../../../src", name))

/** A runner whose one function answers with the value of an expression. */
export const serving = (text: string) => `import { Effect, Schema } from "effect"
import * as Flame from ${source("Flame.ts")}
import { runMain, serve } from ${source("FlameRunner.ts")}
import { statSync } from "node:fs"
const feature = Flame.fn("feature", { payload: { name: Schema.String }, success: Schema.String }, () => Effect.sync(() => ${text}))
serve([feature]).pipe(runMain)`
