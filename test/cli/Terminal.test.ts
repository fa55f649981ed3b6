import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { painter } from "../../src/cli/screen/Style.ts"
import * as Terminal from "../../src/cli/Terminal.ts"
import * as Output from "./kit/Output.ts"

/** Everything that is written to standard error while an effect runs on a terminal. */
const writtenBy = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const written: Array<string> = []
    const { write } = process.stderr
    const terminal = { paint: painter(false), columns: 80, canSpin: true, canRedraw: true }
    yield* Effect.acquireUseRelease(
      Effect.sync(() => {
        process.stderr.write = (text: unknown) => written.push(String(text)) > 0
      }),
      () => Output.printedBy(Effect.provideService(effect, Terminal.Terminal, terminal)),
      () => Effect.sync(() => void (process.stderr.write = write))
    )
    return written
  })

const clear = "\r\u001b[2K"

it.effect("a spinner is erased before a line is printed, and at its end", () =>
  Effect.gen(function* () {
    const work = Effect.sleep("1050 millis").pipe(
      Effect.andThen(Terminal.lines(["a line"])),
      Effect.andThen(Effect.sleep("10 millis")),
      Terminal.spinning("looking")
    )
    const fiber = yield* Effect.forkChild(writtenBy(work))
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(yield* Fiber.join(fiber), [`${clear}| looking`, clear])
  })
)

it.effect("an inner spinner takes the place of the outer one", () =>
  Effect.gen(function* () {
    const inner = Effect.sleep("2 seconds").pipe(Terminal.spinning("booting"))
    const work = Effect.andThen(Effect.sleep("1050 millis"), inner).pipe(Terminal.spinning("looking"))
    const fiber = yield* Effect.forkChild(writtenBy(work))
    yield* TestClock.adjust("4 seconds")
    const texts = (yield* Fiber.join(fiber)).map((text) => /(looking|booting)$/.exec(text)?.[1] ?? "erased")
    assert.deepStrictEqual([...new Set(texts)], ["looking", "booting", "erased"])
    assert.lengthOf(
      texts.filter((text) => text === "looking"),
      1
    )
  })
)
