/** Output of a command: lines and JSON to standard output, hints and a spinner to standard error. */
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type Paint, painter } from "./screen/Style.ts"

/** The terminal of this process. */
export interface TerminalShape {
  readonly paint: Paint
  /** Columns for tables. `Infinity` in pipes and files, where nothing is cut. */
  readonly columns: number
  /** Whether standard error is a terminal that can redraw a line. */
  readonly canSpin: boolean
  /** Whether standard output is a terminal that can be redrawn. */
  readonly canRedraw: boolean
}

const isDumb = (): boolean => process.env["TERM"] === "dumb"

/** Whether to print colours: `NO_COLOR` removes them, `FORCE_COLOR` adds them, and a pipe has none. */
const hasColor = (): boolean => {
  const { FORCE_COLOR: force = "", NO_COLOR: no = "" } = process.env
  if (no !== "" || isDumb()) return false
  return (force !== "" && force !== "0" && force !== "false") || process.stdout.isTTY
}

/** The terminal. A reference, so that tests set their own. */
export const Terminal: Context.Reference<TerminalShape> = Context.Reference("effect-flame/cli/Terminal", {
  defaultValue: (): TerminalShape => ({
    paint: painter(hasColor()),
    // A terminal that was given no size says 0.
    columns: (process.stdout.isTTY && process.stdout.columns) || Infinity,
    canSpin: process.stderr.isTTY && !isDumb(),
    canRedraw: process.stdout.isTTY && !isDumb()
  })
})

/** The texts of the spinners that are shown now, the inner ones last. The last one is drawn. */
const spinners: Array<string> = []

/** Whether the line of standard error holds a spinner now. */
let isDrawn = false

const erase = Effect.sync(() => {
  if (isDrawn) process.stderr.write("\r\u001b[2K")
  isDrawn = false
})

/** Writes lines to standard output. A spinner is drawn again below them. */
export const lines = (all: ReadonlyArray<string>): Effect.Effect<void> =>
  all.length === 0 ? Effect.void : Effect.andThen(erase, Console.log(all.join("\n")))

/** Writes a value to standard output as JSON. */
export const json = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value, null, 2))

/** Writes a value to standard output as JSON on one line. */
export const compact = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value))

/** Writes a line to standard error, where it does not disturb a pipe. */
export const hint = (text: string): Effect.Effect<void> => Effect.andThen(erase, Console.error(text))

const frames = ["|", "/", "-", "\\"]

/** Milliseconds after which a wait shows a spinner, and that pass between its frames. */
const patience = 1_000
const pace = 120

/** Draws the innermost spinner. An outer one pauses meanwhile, as both have one line. */
const spin = (text: string): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* Effect.sleep(patience)
    for (let at = 0; ; at++) {
      if (spinners.at(-1) === text) {
        process.stderr.write(`\r\u001b[2K${frames[at % frames.length]} ${text}`)
        isDrawn = true
      }
      yield* Effect.sleep(pace)
    }
  })

/** Shows a spinner with a text on standard error while an effect takes longer than a second. */
export const spinning =
  (text: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen(function* () {
      const { canSpin } = yield* Terminal
      if (!canSpin) return yield* effect
      return yield* Effect.acquireUseRelease(
        Effect.suspend(() => {
          spinners.push(text)
          return Effect.forkChild(spin(text))
        }),
        () => effect,
        (fiber) =>
          Fiber.interrupt(fiber).pipe(
            Effect.andThen(Effect.sync(() => void spinners.splice(spinners.lastIndexOf(text), 1))),
            Effect.andThen(erase)
          )
      )
    })
