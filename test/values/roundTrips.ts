/**
 * Sends random values of random schemas through functions that return them, in memory and in a child process.
 *
 * A value must arrive equal, or equal to the result of Schema's own JSON codec if several members of a union fit, or
 * both backends must refuse it with the same message.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { inspect } from "node:util"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { FlameError } from "../../src/error/FlameError.ts"
import * as FunctionCodec from "../../src/function/FunctionCodec.ts"
import { CodecError, type SchemaCodec } from "../../src/schema/SchemaCodec.ts"
import { describe } from "../../src/schema/SchemaLayout.ts"
import { echoes, seedVariable } from "../fixtures/values/echoes.ts"
import { same } from "../fixtures/values/same.ts"

export interface Rounds {
  readonly seed: number
  readonly schemas: number
  /** The number of values of each schema. */
  readonly values: number
}

export interface Report {
  roundTrips: number
  refused: number
  readonly failures: Array<string>
}

const entry = new URL("../fixtures/values/runner.ts", import.meta.url)

/** Any value. One value in twenty is of this kind, and most of them do not fit the schema. */
const strange = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withTypedArray: true,
  withSparseArray: true
})

const fitting = (value: unknown) => ({ value, fits: true })
const odd = (value: unknown) => ({ value, fits: false })

/** Runs one batch of schemas on both backends. */
export const roundTrips = ({ schemas, seed, values }: Rounds): Effect.Effect<Report> =>
  Effect.gen(function* () {
    const functions = echoes(seed, schemas)
    const report: Report = { roundTrips: 0, refused: 0, failures: [] }
    const cases = functions.flatMap((echo, i) => {
      const mixed = fc.oneof(
        { weight: 19, arbitrary: echo.values.map(fitting) },
        { weight: 1, arbitrary: strange.map(odd) }
      )
      return fc.sample(mixed, { seed: seed + i, numRuns: values }).map(({ fits, value }) => ({ echo, fits, value }))
    })
    const options = { max: 1, concurrency: 64, min: 1 }
    const all = (layer: Layer.Layer<never, never, never>) =>
      Effect.forEach(cases, ({ echo, value }) => Effect.exit(Flame.call(echo.fn, value)), { concurrency: 256 }).pipe(
        Effect.provide(layer)
      )
    const memory = yield* all(
      FlameLayer.test(
        functions.map(({ fn }) => fn),
        options
      ) as never
    )
    const local = FlameLayer.local({ entry, env: { [seedVariable]: `${seed},${schemas}` }, ...options })
    const remote = yield* all(Layer.orDie(local))
    cases.forEach(({ echo, fits, value }, i) => {
      report.roundTrips += 2
      const problem = compare(echo.schema, value, fits, memory[i]!, remote[i]!)
      if (problem === "refused") report.refused += 2
      else if (problem !== undefined && report.failures.length < 10) {
        report.failures.push(`seed ${seed}, ${echo.fn.name} ${describe(echo.schema)}, value ${show(value)}: ${problem}`)
      }
    })
    return report
  }) as Effect.Effect<Report>

/**
 * Sends random values through the codecs of functions alone, as a payload and then as a result. Takes a hundredth of the time
 * of the way through two backends, which has these codecs at its ends.
 */
export const codecTrips = ({ schemas, seed, values }: Rounds): Report => {
  const report: Report = { roundTrips: 0, refused: 0, failures: [] }
  for (const [i, { fn, schema, values: fitting }] of echoes(seed, schemas).entries()) {
    const { payload, success } = FunctionCodec.of(fn)
    const samples = fc.sample(fitting, { seed: seed + i, numRuns: values })
    // The odd values are the same for all schemas: most schemas refuse them at their first part.
    const odds = fc.sample(strange, { seed: seed + i, numRuns: Math.ceil(values / 20) })
    for (const [n, value] of [...samples, ...odds].entries()) {
      const arrived = crossed(payload, value)
      const exit = Exit.isSuccess(arrived) ? crossed(success, arrived.value) : arrived
      report.roundTrips += Exit.isSuccess(exit) ? 2 : 1
      const problem = compareOne(schema, value, n < samples.length, exit)
      if (problem === "refused") report.refused++
      else if (problem !== undefined && report.failures.length < 10)
        report.failures.push(`seed ${seed}, ${fn.name} ${describe(schema)}, value ${show(value)}: ${problem}`)
    }
  }
  return report
}

const crossed = (codec: SchemaCodec, value: unknown): AnyExit => {
  try {
    if (codec.isSync) return Exit.succeed(codec.decode(codec.encode(value), true))
    return Effect.runSyncExit(
      Effect.flatMap(codec.encodeEffect(value), (bytes) => codec.decodeEffect(bytes, true)) as Effect.Effect<unknown>
    )
  } catch (error) {
    return error instanceof CodecError ? Exit.fail(error) : Exit.die(error)
  }
}

const compareOne = (
  schema: Schema.Codec<unknown, unknown>,
  value: unknown,
  fits: boolean,
  exit: AnyExit
): string | undefined => {
  if (Exit.isFailure(exit)) {
    const isRefused = exit.cause.reasons.every(
      (reason) => Cause.isFailReason(reason) && reason.error instanceof CodecError
    )
    return isRefused ? "refused" : `it failed: ${wordsOf(exit)}`
  }
  if (!fits || same(value, exit.value)) return undefined
  const expected = throughJson(schema, value)
  return expected.some((one) => same(one, exit.value))
    ? undefined
    : `it arrived as ${show(exit.value)}, not as ${expected.map(show).join(" or ")}`
}

type AnyExit = Exit.Exit<unknown, unknown>

const compare = (
  schema: Schema.Codec<unknown, unknown>,
  value: unknown,
  fits: boolean,
  a: AnyExit,
  b: AnyExit
): string | undefined => {
  if (Exit.isFailure(a) || Exit.isFailure(b)) {
    const [left, right] = [wordsOf(a), wordsOf(b)]
    if (left !== right) return `in memory: ${left}; on a process: ${right}`
    return Exit.isFailure(a) && isRefusal(a) ? "refused" : `it failed: ${left}`
  }
  if (!same(a.value, b.value)) return `in memory: ${show(a.value)}; on a process: ${show(b.value)}`
  if (same(value, a.value)) return undefined
  // For a value that does not fit the schema, both backends must agree, and nothing else.
  if (!fits) return undefined
  const expected = throughJson(schema, value)
  return expected.some((one) => same(one, a.value))
    ? undefined
    : `it arrived as ${show(a.value)}, not as ${expected.map(show).join(" or ")}`
}

const isRefusal = (exit: Exit.Failure<unknown, unknown>): boolean =>
  exit.cause.reasons.some(
    (reason) =>
      Cause.isFailReason(reason) && reason.error instanceof FlameError && reason.error.reason._tag === "InvalidPayload"
  )

const wordsOf = (exit: AnyExit): string =>
  Exit.isSuccess(exit)
    ? "a value"
    : Cause.pretty(exit.cause)
        .split("\n")[0]!
        .replaceAll(/runner \S+/g, "runner")

/** The result of sending a value through Schema's own codec once, and twice, as payload and result go. */
const throughJson = (schema: Schema.Codec<unknown, unknown>, value: unknown): ReadonlyArray<unknown> => {
  const results: Array<unknown> = []
  let next = value
  for (let i = 0; i < 2; i++) {
    try {
      const codec = Schema.toCodecJson(schema)
      next = Schema.decodeUnknownSync(codec)(Schema.encodeUnknownSync(codec)(next))
    } catch {
      break
    }
    results.push(next)
  }
  // Schema itself drops fields that the type lacks, without any encoding.
  try {
    results.push(Schema.decodeUnknownSync(schema)(Schema.encodeUnknownSync(schema)(value)))
  } catch {
    // There is no other result to compare with.
  }
  return results
}

const show = (value: unknown): string =>
  inspect(value, { depth: 6, breakLength: Infinity, maxStringLength: 60 }).slice(0, 400)
