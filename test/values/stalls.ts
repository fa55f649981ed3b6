/**
 * A parent with one runner, which send each other values as large as the limit takes, and bytes that no honest sender writes.
 *
 * Prints one line of JSON for each message: its receiver's longest turn, and the memory that the receiver has allocated.
 * The second is exact where the garbage collector does not run meanwhile: with `--expose-gc` and a large
 * `--min-semi-space-size`. Names of kinds as arguments select these kinds; FLAME_TEST_EVERY=4 selects every fourth kind.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FlameLayer from "../../src/FlameLayer.ts"
import * as Flame from "../../src/Flame.ts"
import type { Pool } from "../../src/pool/Pool.ts"
import { makeSchemaCodec } from "../../src/schema/SchemaCodec.ts"
import { honest, lying, maxValue, spent } from "../fixtures/values/costly.ts"
import { Turns } from "../fixtures/values/Turns.ts"

/** The cost of one message to its receiver. */
export interface Cost {
  readonly name: string
  readonly receiver: "parent" | "runner"
  readonly outcome: string
  /** Bytes of the message. */
  readonly size: number
  /** Milliseconds of CPU. */
  readonly longest: number
  readonly allocated: number
}

const turns = new Turns()
const only = process.argv.slice(2)
const every = Number(process.env["FLAME_TEST_EVERY"] ?? 1)
const chosen = <A extends { readonly name: string }>(kinds: ReadonlyArray<A>): ReadonlyArray<A> =>
  kinds.filter(({ name }, i) => i % every === 0 && (only.length === 0 || only.includes(name)))
const report = (cost: Cost): void => console.log(JSON.stringify(cost))

/** The number of parts that the limit takes, from a smaller limit: the encoder refuses a larger value before its end. */
const largest = ({ make, schema }: (typeof honest)[number]): number => {
  const part = maxValue / 32
  const codec = makeSchemaCodec(schema, { what: "the value", maxValue: part })
  const fits = (n: number): boolean => {
    try {
      const value = make(n)
      if (codec.isSync) codec.encode(value)
      else Effect.runSync(codec.encodeEffect(value) as Effect.Effect<Uint8Array>)
      return true
    } catch {
      return false
    }
  }
  let low = 0
  let high = 1
  while (fits(high)) [low, high] = [high, high * 2]
  for (let i = 0; i < 5; i++) {
    const middle = (low + high) >> 1
    if (fits(middle)) low = middle
    else high = middle
  }
  return Math.max(1, Math.floor(low * 31))
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "value" : String(exit.cause).slice(0, 300)

/** Makes a call, and reports the cost to the side that receives. */
const measured = (
  receiver: Cost["receiver"],
  name: string,
  size: number,
  call: Effect.Effect<unknown, unknown, Pool>
): Effect.Effect<string, unknown, Pool> =>
  Effect.gen(function* () {
    const take = (collects: boolean) =>
      receiver === "parent" ? Effect.sync(() => turns.take(collects)) : Flame.call(spent, { collects })
    // The turn of a timer ends what came before.
    yield* Effect.sleep(10)
    const { bytes } = yield* take(true)
    const outcome = outcomeOf(yield* Effect.exit(call))
    yield* Effect.sleep(10)
    const after = yield* take(false)
    report({ name, receiver, outcome, size, longest: after.longest, allocated: after.bytes - bytes })
    return outcome
  })

const sizeOf = (schema: (typeof honest)[number]["schema"], value: unknown): number => {
  const codec = makeSchemaCodec(schema, { what: "the value", maxValue: Number.MAX_SAFE_INTEGER })
  return codec.isSync
    ? codec.encode(value).length
    : Effect.runSync(codec.encodeEffect(value) as Effect.Effect<Uint8Array>).length
}

const all = Effect.gen(function* () {
  for (const kind of chosen(honest)) {
    let n = largest(kind)
    for (;;) {
      const value = kind.make(n)
      const size = sizeOf(kind.schema, value)
      // Compiled code is what a peer meets that sends more than one message.
      for (let i = 0; i < 2; i++) yield* Effect.exit(Flame.call(kind.take, kind.make(Math.ceil(n / 50))))
      const outcome = yield* measured("runner", kind.name, size, Flame.call(kind.take, value))
      if (/PayloadTooLarge|maxValue/.test(outcome)) {
        n = Math.floor(n * 0.9)
        continue
      }
      for (let i = 0; i < 2; i++) yield* Effect.exit(Flame.call(kind.give, { n: Math.ceil(n / 50) }))
      yield* measured("parent", kind.name, size, Flame.call(kind.give, { n }))
      break
    }
  }
  for (const { make, name, takeForged } of chosen(lying)) {
    const value = make()
    yield* measured("runner", name, 0, Flame.call(takeForged, value))
  }
})

const liars = Effect.gen(function* () {
  for (const { give, name } of chosen(lying)) {
    yield* measured("parent", name, 0, Flame.call(give))
  }
})

const layer = (env: Record<string, string>) =>
  FlameLayer.local({
    entry: new URL("../fixtures/values/costlyRunner.ts", import.meta.url),
    env: { FLAME_TEST_MAX_VALUE: String(maxValue), ...env },
    max: 1,
    concurrency: 1
  })

const main = Effect.andThen(Effect.provide(all, layer({})), Effect.provide(liars, layer({ FLAME_TEST_LYING: "1" })))
await Effect.runPromise(main as Effect.Effect<void>)
