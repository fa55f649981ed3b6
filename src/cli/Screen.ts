/** A full screen of the terminal, redrawn until the user quits. The former screen always comes back. */
import * as Effect from "effect/Effect"
import * as Deferred from "effect/Deferred"
import * as Keys from "./screen/Keys.ts"

/** The size of the terminal, and the lines that are scrolled away. */
export interface Size {
  readonly columns: number
  readonly rows: number
  readonly scroll: number
}

/** A drawn screen. */
export interface Drawn {
  readonly lines: ReadonlyArray<string>
  /** The lines that are scrolled away: at most as many as there are below the screen. */
  readonly scroll: number
}

/** The other screen without a cursor, and back. */
const enter = "\u001b[?1049h\u001b[?25l\u001b[2J"
const leave = "\u001b[?25h\u001b[?1049l"

/** Moves to the top, writes each line over the old one, and clears what is below. */
const frame = (lines: ReadonlyArray<string>): string =>
  `\u001b[?2026h\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J\u001b[?2026l`

/**
 * Draws every `pace` milliseconds, and at once after a key or a change of the size. Ends when the user presses `q` or
 * Escape. Ctrl-C interrupts.
 */
export const show = <E, R>(draw: (size: Size) => Effect.Effect<Drawn, E, R>, pace: number): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const quit = yield* Deferred.make<Keys.End>()
    let scroll = 0
    let wake = yield* Deferred.make<void>()
    const redraw = () => Deferred.doneUnsafe(wake, Effect.void)
    const press = (chunk: Buffer) => {
      const pressed = Keys.press(scroll, chunk.toString())
      scroll = pressed.scroll
      if (pressed.end !== undefined) Deferred.doneUnsafe(quit, Effect.succeed(pressed.end))
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
        const asked = scroll
        // A terminal that was given no size says 0.
        const drawn = yield* draw({ columns: stdout.columns || 80, rows: stdout.rows || 24, scroll })
        // A key that was pressed meanwhile counts from the scroll that was asked for.
        scroll = Math.max(0, scroll + drawn.scroll - asked)
        stdout.write(frame(drawn.lines))
        yield* Effect.race(Effect.sleep(pace), Deferred.await(wake))
      }
    })
    const end = yield* Effect.acquireUseRelease(
      start,
      () => Effect.raceFirst(loop, Deferred.await(quit)),
      () => stop
    )
    // In raw mode the terminal sends Ctrl-C as a key, and no signal.
    if (end === "interrupt") return yield* Effect.interrupt
  })
