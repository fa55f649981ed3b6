import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { Pool } from "../../src/pool/Pool.ts"
import { carriers, functions, odds } from "../fixtures/values/odd.ts"
import { thorough } from "../fixtures/thorough.ts"
import { same } from "../fixtures/values/same.ts"

const places = ["echo", "give", "fail", "items"] as const
type AnyExit = Exit.Exit<unknown, unknown>

// Every third case outside of the full run.
const cases = carriers
  .flatMap((carrier) => places.flatMap((place) => Object.keys(odds).map((name) => ({ carrier, place, name }))))
  .filter((_, i) => thorough || i % 3 === 0)

const sent = ({ carrier, name, place }: (typeof cases)[number]): Effect.Effect<AnyExit, never, Pool> => {
  switch (place) {
    case "echo":
      return Effect.exit(Effect.suspend(() => Flame.call(carrier.echo, odds[name]!())))
    case "give":
      return Effect.exit(Flame.call(carrier.give, { name }))
    case "fail":
      return Effect.exit(Flame.call(carrier.fail, { name }))
    case "items":
      return Effect.exit(Stream.runCollect(Flame.stream(carrier.items, { name })))
  }
}

/** The exits of all cases, and how many runners they took. */
const all = Effect.gen(function* () {
  const exits = yield* Effect.forEach(cases, sent, { concurrency: 32 })
  const status = yield* (yield* Pool).status
  return { exits, booted: status.runners.length }
})

const wordsOf = (exit: AnyExit): string =>
  Exit.isSuccess(exit)
    ? "a value"
    : Cause.pretty(exit.cause)
        .split("\n")[0]!
        .replaceAll(/runner \S+/g, "runner")

/** A failure of the function's own, or a sentence about the value. Never the loss of a runner, or the end of a stack. */
const isExpected = ({ place }: (typeof cases)[number], exit: AnyExit): boolean =>
  Exit.isSuccess(exit)
    ? place !== "fail"
    : !/RunnerLost|RangeError|call stack|BootFailed|Disconnected/.test(Cause.pretty(exit.cause))

const failureOf = (exit: AnyExit): unknown => {
  const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
  return reason?._tag === "Fail" ? reason.error : undefined
}

describe("values that no schema was made for", () => {
  it.live(
    "cross as they are or are refused, in memory and by a process in the same words, and no runner is lost [C434]",
    () =>
      Effect.gen(function* () {
        const options = { max: 1, min: 1, concurrency: 32 }
        const memory = yield* Effect.provide(all, FlameLayer.test(functions as never, options) as never)
        const entry = new URL("../fixtures/values/oddRunner.ts", import.meta.url)
        const remote = yield* Effect.provide(all, Layer.orDie(FlameLayer.local({ entry, ...options })))
        assert.strictEqual(remote.booted, 1)
        const problems = cases.flatMap((one, i) => {
          const [here, there] = [memory.exits[i]!, remote.exits[i]!]
          const title = `${one.carrier.name} ${one.place} ${one.name}`
          if (!isExpected(one, here)) return [`${title}: in memory ${wordsOf(here)}`]
          if (!isExpected(one, there)) return [`${title}: by a process ${wordsOf(there)}`]
          const isSame =
            Exit.isSuccess(here) && Exit.isSuccess(there)
              ? same(here.value, there.value)
              : wordsOf(here) === wordsOf(there) || same(failureOf(here), failureOf(there))
          if (isSame) return []
          const show = (exit: AnyExit) => (Exit.isSuccess(exit) ? inspect(exit.value).slice(0, 200) : wordsOf(exit))
          return [`${title}: in memory ${show(here)}; by a process ${show(there)}`]
        })
        assert.deepStrictEqual(problems, [])
      }) as Effect.Effect<void>,
    120_000
  )
})
