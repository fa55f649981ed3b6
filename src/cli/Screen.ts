/** A full screen of the terminal, redrawn until the user quits. The former screen always comes back. */
import * as Effect from "effect/Effect"
import * as Deferred from "effect/Deferred"

/** The size of the terminal, and the lines that are scrolled away. */
export interface Size {
  readonly columns: number
  readonly rows: number
  readonly scroll: number
}

/** The other screen without a cursor, and back. */
const enter = "\u001b[?1049h\u001b[?25l\u001b[2J"
const leave = "\u001b[?25h\u001b[?1049l"

/** Moves to the top, writes each line over the old one, and clears what is below. */
const frame = (lines: ReadonlyArray<string>): string =>
  `\u001b[?2026h\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J\u001b[?2026l`

const keys: Readonly<Record<string, "quit" | number>> = {
  q: "quit",
  Q: "quit",
  "\u0003": "quit",
  "\u001b": "quit",
  "\u001b[A": -1,
  "\u001b[B": 1,
  k: -1,
  j: 1,
  "\u001b[5~": -10,
  "\u001b[6~": 10,
  " ": 10,
  "\u001b[H": -Infinity,
  g: -Infinity
}

/**
 * Draws every `pace` milliseconds, and at once after a key or a change of the size. Ends when the user presses `q` or
 * Ctrl-C.
 */
export const show = <E, R>(
  draw: (size: Size) => Effect.Effect<ReadonlyArray<string>, E, R>,
  pace: number
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const quit = yield* Deferred.make<void>()
    let scroll = 0
    let wake = yield* Deferred.make<void>()
    const redraw = () => Deferred.doneUnsafe(wake, Effect.void)
    const press = (chunk: Buffer) => {
      const key = keys[chunk.toString()]
      if (key === "quit") Deferred.doneUnsafe(quit, Effect.void)
      else if (key !== undefined) scroll = Number.isFinite(key) ? Math.max(0, scroll + key) : 0
      redraw()
    }
    const { stdin, stdout } = process
    const start = Effect.sync(() => {
      stdout.write(enter)
      if (stdin.isTTY) stdin.setRawMode(true)
      stdin.on("data", press)
      stdin.resume()
      stdout.on("resize", redraw)
    })
    const stop = Effect.sync(() => {
      stdin.off("data", press)
      stdout.off("resize", redraw)
      if (stdin.isTTY) stdin.setRawMode(false)
      stdin.pause()
      stdout.write(leave)
    })
    const loop = Effect.gen(function* () {
      for (;;) {
        wake = yield* Deferred.make<void>()
        const lines = yield* draw({ columns: stdout.columns, rows: stdout.rows, scroll })
        stdout.write(frame(lines))
        yield* Effect.race(Effect.sleep(pace), Deferred.await(wake))
      }
    })
    yield* Effect.acquireUseRelease(
      start,
      () => Effect.race(loop, Deferred.await(quit)),
      () => stop
    )
  })
