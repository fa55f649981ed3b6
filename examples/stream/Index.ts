/** Counts the words of a large text file on a runner, with progress. */
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Flame from "effect-flame/Flame"

/** The runner's machine has no such file. */
export class NoFile extends Schema.TaggedError<NoFile>()("NoFile", { path: Schema.String }) {
  override get message(): string {
    return `there is no file ${this.path}`
  }
}

/** Progress, and the most frequent words so far. */
export const Progress = Schema.Struct({
  bytes: Schema.Int,
  size: Schema.Int,
  lines: Schema.Int,
  words: Schema.Int,
  top: Schema.Array(Schema.Tuple([Schema.String, Schema.Int]))
})

const count = (words: Map<string, number>, line: string): number => {
  const found = line.toLowerCase().match(/\p{L}+/gu) ?? []
  for (const word of found) words.set(word, (words.get(word) ?? 0) + 1)
  return found.length
}

const most = (words: ReadonlyMap<string, number>) => [...words].toSorted((a, b) => b[1] - a[1]).slice(0, 5)

/** Emits an item after every `every` lines, and one at the end. A caller that takes no more items stops the function. */
export const index = Flame.fn(
  "index",
  { payload: { path: Schema.String, every: Schema.Int }, success: Progress, error: NoFile, stream: true },
  Effect.fnUntraced(function* ({ every, path }) {
    const { size } = yield* Effect.tryPromise({ try: () => stat(path), catch: () => new NoFile({ path }) })
    const words = new Map<string, number>()
    let bytes = 0
    let lines = 0
    let total = 0
    const progress = () => ({ bytes, size, lines, words: total, top: most(words) })
    const open = Effect.acquireRelease(
      Effect.sync(() => createInterface({ input: createReadStream(path), crlfDelay: Infinity })),
      (reader) => Effect.sync(() => reader.close())
    )
    return Stream.unwrap(
      Effect.map(open, (reader) =>
        Stream.fromAsyncIterable(reader, (cause) => cause).pipe(
          Stream.orDie,
          Stream.filter((line) => {
            bytes += Buffer.byteLength(line) + 1
            total += count(words, line)
            return ++lines % every === 0
          }),
          Stream.map(progress),
          Stream.concat(Stream.sync(progress))
        )
      )
    )
  })
)
