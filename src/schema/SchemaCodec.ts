/**
 * Encodes the values of one schema as bytes, and decodes them.
 *
 * A coder writes and reads a plain schema (`isPlain` in `SchemaTraits.ts`) in one pass. Any other schema takes two: Schema's
 * own codec encodes the value, and a coder writes the result. Parts that no coder can write become JSON (`WireSchema.ts`).
 * A schema that is just bytes is encoded as these bytes, without a copy. Void is encoded as nothing.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { ByteReader, Malformed } from "./ByteReader.ts"
import { ByteWriter } from "./ByteWriter.ts"
import { unfit } from "./Data.ts"
import { detachedProblem, isDetached, isWhole } from "./OwnBytes.ts"
import { isBytes, refusal } from "./SchemaLayout.ts"
import { attempt, CodecError, type Problem, problemsOf, withNamedErrors, withShortStacks } from "./SchemaProblems.ts"
import { isPlain, traitsOf } from "./SchemaTraits.ts"
import { coderOf, plainCoderOf } from "./ValueCoder.ts"
import { LimitError, maxDepth, parsedUnit, plainUnit, type ValueTooLarge } from "./bound/ValueLimits.ts"
import { refuseCycles } from "./bound/ValueCycles.ts"
import { beginWork, carried, within } from "./bound/ValueWork.ts"
import { wireOf } from "./WireSchema.ts"

export { CodecError } from "./SchemaProblems.ts"

/**
 * Encodes and decodes the values of one schema. Throws or fails with a `CodecError` for a value that does not fit, and with
 * `ValueTooLarge` for a value over its limit.
 */
export interface SchemaCodec {
  readonly isSync: boolean
  readonly encode: (value: unknown) => Uint8Array
  readonly encodeEffect: (value: unknown) => Effect.Effect<Uint8Array, CodecError | ValueTooLarge, unknown>
  readonly decode: (bytes: Uint8Array, owned: boolean) => unknown
  readonly decodeEffect: (bytes: Uint8Array, owned: boolean) => Effect.Effect<unknown, CodecError, unknown>
}

/** The codec of a schema that is not just bytes or nothing. Its values are also read in arrays, as the items of a stream. */
export interface ValueCodec extends SchemaCodec {
  /** Reads the values of an array, and calls `take` with each one before the next one is read. Throws as `decode` does. */
  readonly decodeEach: (bytes: Uint8Array, take: (value: unknown) => void) => void
  /** The same where a value's schema needs a service or time. Fails as `decodeEffect` does. */
  readonly decodeEachEffect: (
    bytes: Uint8Array,
    take: (value: unknown) => void
  ) => Effect.Effect<void, CodecError, unknown>
}

export interface CodecOptions {
  /** The name of the values in errors. */
  readonly what: string
  /** Whether values to encode are in the form that the schema's `make` takes. */
  readonly isMade?: boolean
  /**
   * Whether bytes that are a view of a larger buffer are copied, because their owner may change them in its next turn.
   */
  readonly copiesViews?: boolean
  /** Largest cost of a value for its receiver, in bytes. */
  readonly maxValue: number
}

/** Compiles the codec of a schema. Throws if the schema has no codec. */
export const makeSchemaCodec = (schema: Schema.Top, options: CodecOptions): SchemaCodec => {
  const { ast } = schema
  if (ast._tag === "Void" && ast.encoding === undefined) return voidSide
  if (isBytes(ast) && ast.checks === undefined) return bytesSide(schema, options)
  return makeValueCodec(schema, options)
}

/** Compiles the codec of a schema for which `isBare` is false. Throws if the schema has no codec. */
export const makeValueCodec = (schema: Schema.Top, options: CodecOptions): ValueCodec => {
  try {
    // Checked again after the declaration, because a suspended schema exists by now.
    const refused = refusal(schema)
    if (refused !== undefined) throw new Error(refused)
    return schemaSide(schema, options)
  } catch (error) {
    throw new Error(`${options.what} cannot be sent: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error
    })
  }
}

/** Whether values of the schema are sent as the raw bytes that they are. */
export const isBare = ({ ast }: Schema.Top): boolean =>
  (ast._tag === "Void" && ast.encoding === undefined) || (isBytes(ast) && ast.checks === undefined)

const side = (encode: SchemaCodec["encode"], decode: SchemaCodec["decode"]): SchemaCodec => ({
  isSync: true,
  encode,
  encodeEffect: (value) => attempt(() => encode(value)),
  decode,
  decodeEffect: (bytes, owned) => attempt(() => decode(bytes, owned))
})

const nothing = new Uint8Array(0)
const voidSide = side(
  () => nothing,
  () => undefined
)

const bytesSide = (schema: Schema.Top, { copiesViews = false, what }: CodecOptions): SchemaCodec =>
  side(
    (value) => {
      if (!(value instanceof Uint8Array)) throw mismatch(new SchemaIssue.InvalidType(schema.ast), schema, what)
      if (isDetached(value)) throw new CodecError(misfit(what), [{ path: "", problem: detachedProblem }])
      return copiesViews && !isWhole(value) ? new Uint8Array(value) : value
    },
    (bytes, owned) => (owned ? plain(bytes) : new Uint8Array(bytes))
  )

const schemaSide = (schema: Schema.Top, { isMade = false, maxValue, what }: CodecOptions): ValueCodec => {
  const wire = Schema.make<Schema.Top>(wireOf(schema.ast))
  const isOnePass = isPlain(wire.ast)
  const traits = traitsOf(schema.ast, wire.ast)
  const coder = isOnePass ? plainCoderOf(wire.ast) : coderOf(SchemaAST.toEncoded(wire.ast), traits.transformed)
  const unit = isOnePass ? plainUnit : parsedUnit
  const encodeValue = SchemaParser.encodeUnknownEffect(wire)
  const decodeValue = SchemaParser.decodeUnknownEffect(wire)
  // Made of `wire`, whose templates are bounded before they are matched. Those of `schema` match text of any length.
  const makeAny = SchemaParser.makeEffect(wire)
  const makeValue = isMade && traits.isMade ? makeAny : undefined

  const write = (value: unknown): Uint8Array => {
    const writer = shared.isBusy ? new ByteWriter() : shared
    try {
      writer.begin(maxValue, unit)
      coder.write(writer, value)
      return writer.end()
    } catch (error) {
      writer.abort()
      throw error
    }
  }
  const read = (bytes: Uint8Array): unknown => {
    const reader = new ByteReader(bytes, maxValue, unit)
    const value = coder.read(reader)
    reader.finish()
    return value
  }
  /** All problems of a value: encoding stops at the first one. */
  const problems = (value: unknown, error: unknown): unknown => {
    if (error instanceof LimitError) return new CodecError(misfit(what), [{ path: "", problem: error.message }])
    if (isOverflow(error)) return new CodecError(misfit(what), [tooDeep])
    if (error !== unfit && !SchemaIssue.isIssue(error)) return error
    const exit = Effect.runSyncExit(makeAny(value, { parseOptions: { errors: "all" } }))
    const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
    if (reason?._tag === "Fail") return mismatch(reason.error, schema, what)
    return SchemaIssue.isIssue(error) ? mismatch(error, schema, what) : new CodecError(misfit(what), [unknown])
  }
  const writeOr = (encoded: unknown, explained: (error: unknown) => unknown): Uint8Array => {
    try {
      return write(encoded)
    } catch (error) {
      throw explained(error)
    }
  }
  const unreadable = (error: unknown): unknown => {
    if (error instanceof Malformed || error instanceof LimitError) {
      return new CodecError(garbled(what), [{ path: "", problem: error.message }])
    }
    if (isOverflow(error)) return new CodecError(garbled(what), [tooDeep])
    return SchemaIssue.isIssue(error) ? new CodecError(garbled(what), problemsOf(error, schema)) : error
  }
  const readOr = <A>(read: () => A): A => {
    try {
      return read()
    } catch (error) {
      throw unreadable(error)
    }
  }
  /** A reader after the head of an array, and the count of its values. */
  const arrayOf = (bytes: Uint8Array): readonly [ByteReader, number] => {
    const reader = new ByteReader(bytes, maxValue, unit)
    const count = reader.length()
    reader.enter(count)
    if (count > 1) reader.share()
    return [reader, count]
  }

  return {
    isSync: !traits.suspends,
    encode: (value) =>
      within(beginWork(maxValue, true), () => {
        try {
          const made = makeValue === undefined ? value : now(makeValue(value))
          return write(isOnePass ? made : now(encodeValue(made)))
        } catch (error) {
          throw problems(value, error)
        }
      }),
    encodeEffect: (value) => {
      const work = beginWork(maxValue, true)
      const explained = (error: unknown) => within(work, () => problems(value, error))
      const started = within(work, () => {
        const encoded = withNamedErrors(() => {
          if (traits.suspends) refuseCycles(schema.ast, value)
          return Effect.flatMapEager(makeValue === undefined ? Exit.succeed(value) : makeValue(value), encodeValue)
        }, explained)
        return Effect.flatMapEager(encoded, (encoded) => attempt(() => writeOr(encoded, explained)))
      })
      return carried(work, started)
    },
    decode: (bytes) =>
      within(beginWork(maxValue, false), () => {
        try {
          const value = read(bytes)
          return isOnePass ? value : withShortStacks(bytes.length, () => now(decodeValue(value)))
        } catch (error) {
          throw unreadable(error)
        }
      }),
    decodeEach: (bytes, take) =>
      within(beginWork(maxValue, false), () =>
        readOr(() => {
          const [reader, count] = arrayOf(bytes)
          if (isOnePass) for (let i = 0; i < count; i++) take(coder.read(reader))
          else {
            withShortStacks(bytes.length, () => {
              for (let i = 0; i < count; i++) take(now(decodeValue(coder.read(reader))))
            })
          }
          reader.finish()
        })
      ),
    decodeEachEffect: (bytes, take) => {
      const work = beginWork(maxValue, false)
      const each = (reader: ByteReader, left: number): Effect.Effect<void, CodecError | ValueTooLarge, unknown> => {
        for (; left > 0; left--) {
          const item = Effect.flatMapEager(
            attempt(() => readOr(() => coder.read(reader))),
            (value) => withNamedErrors(() => withShortStacks(bytes.length, () => decodeValue(value)), unreadable)
          )
          const others = left - 1
          if (!Exit.isExit(item) || Exit.isFailure(item)) {
            return Effect.flatMap(item, (value) => {
              take(value)
              return within(work, () => each(reader, others))
            })
          }
          take(item.value)
        }
        return attempt(() => readOr(() => reader.finish()))
      }
      const begun = within(work, () =>
        Effect.flatMapEager(
          attempt(() => readOr(() => arrayOf(bytes))),
          ([reader, count]) => each(reader, count)
        )
      )
      return carried(work, begun) as Effect.Effect<void, CodecError, unknown>
    },
    decodeEffect: (bytes) => {
      const work = beginWork(maxValue, false)
      const started = within(work, () =>
        Effect.flatMapEager(
          attempt(() => readOr(() => read(bytes))),
          (value) => withNamedErrors(() => withShortStacks(bytes.length, () => decodeValue(value)), unreadable)
        )
      )
      return carried(work, started) as Effect.Effect<unknown, CodecError, unknown>
    }
  }
}

/** All codecs write into one slab. A schema whose code encodes within an encoding gets a writer of its own. */
const shared = new ByteWriter()

export const mismatch = (issue: SchemaIssue.Issue, schema: Schema.Top, what: string): CodecError =>
  new CodecError(misfit(what), problemsOf(issue, schema))

const misfit = (what: string) => `${what} does not match its schema`
const garbled = (what: string) => `${what} cannot be read`
const tooDeep: Problem = { path: "", problem: `is nested deeper than ${maxDepth} levels` }
const unknown: Problem = { path: "", problem: "expected a value that its schema takes" }

/** Whether an error is a stack overflow, which a cyclic value causes in Schema's own code. */
const isOverflow = (error: unknown): boolean => error instanceof RangeError && /call stack/i.test(error.message)

/** The value of an effect that is known to be sync. Throws the issue that it fails with. */
const now = <A>(effect: Effect.Effect<A, SchemaIssue.Issue, unknown>): A => {
  const exit = Exit.isExit(effect) ? effect : Effect.runSyncExit(effect as Effect.Effect<A, SchemaIssue.Issue>)
  if (Exit.isSuccess(exit)) return exit.value as A
  const reason = exit.cause.reasons[0]
  throw reason?._tag === "Fail" ? reason.error : reason?._tag === "Die" ? reason.defect : new Error("interrupted")
}

/** A Uint8Array over the same memory, for bytes that may be a Buffer: `slice` of a Buffer returns a view instead of a copy. */
export const plain = (bytes: Uint8Array): Uint8Array =>
  bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
