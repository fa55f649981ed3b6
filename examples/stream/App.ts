/** The parent's part: prints the progress of the runner as it arrives. */
import { randomUUID } from "node:crypto"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Flame } from "effect-flame"
import { flags } from "../runners.ts"
import { index, type Progress } from "./Index.ts"
import { writeText } from "./Text.ts"

const show = ({ bytes, lines, size, top, words }: (typeof Progress)["Type"]) =>
  Console.log(
    `${Math.round((100 * bytes) / Math.max(1, size))} %: ${lines} lines, ${words} words; ${top.map(([word, n]) => `${word} ${n}`).join(", ")}`
  )

const generated = (lines: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const path = join(tmpdir(), `flame-stream-${randomUUID()}.txt`)
      await writeText(path, lines)
      return path
    }),
    (path) => Effect.promise(() => rm(path, { force: true }))
  )

/**
 * Reads a file of the runner's machine, or a generated text. With `--until WORD` the app stops reading when that word is
 * among the most frequent words.
 */
export const app = Effect.gen(function* () {
  const options = { ...flags, until: { type: "string" } } as const
  const { positionals, values } = parseArgs({ options, allowPositionals: true })
  const path = positionals[0] ?? (yield* generated(200_000))
  const { until } = values
  const progress = Flame.stream(index, { path, every: 20_000 })
  yield* progress.pipe(
    Stream.tap(show),
    Stream.takeUntil(({ top }) => top.some(([word]) => word === until)),
    Stream.runDrain
  )
  yield* Console.log(until === undefined ? "done" : `seen enough of ${until}`)
}).pipe(Effect.scoped)
