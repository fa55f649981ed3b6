/**
 * How the values of one schema travel as bytes.
 *
 * Bodies are `SchemaBinary`'s, in its default mode: an 8-byte fingerprint in every message buys nothing where the
 * handshake has compared layouts. A schema that is just bytes bypasses it, and nothing is sent for void.
 */
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { children, isBytes, refusal } from "./SchemaLayout.ts"
import { type Problem, problemsOf } from "./SchemaProblems.ts"

/** A value that does not fit its schema; the message says where and why, and contains nothing of the value. */
export class CodecError extends Error {
  override readonly name: string = "CodecError"
  readonly problems: ReadonlyArray<Problem>

  constructor(what: string, problems: ReadonlyArray<Problem>) {
    super(`${what}: ${problems.map(({ path, problem }) => (path === "" ? problem : `${path}: ${problem}`)).join("; ")}`)
    this.problems = problems
  }
}

/** What encodes and decodes the values of one schema. What does not fit throws or fails with a `CodecError`. */
export interface SchemaCodec {
  readonly isSync: boolean
  readonly encode: (value: unknown) => Uint8Array
  readonly encodeEffect: (value: unknown) => Effect.Effect<Uint8Array, CodecError, unknown>
  readonly decode: (bytes: Uint8Array, owned: boolean) => unknown
  readonly decodeEffect: (bytes: Uint8Array, owned: boolean) => Effect.Effect<unknown, CodecError, unknown>
}

/**
 * Compiles the codec of a schema; `what` names its values in errors, and `isMade` says that values to encode are what
 * the schema's `make` takes.
 */
export const makeSchemaCodec = (schema: Schema.Top, what: string, isMade: boolean): SchemaCodec => {
  if (schema.ast._tag === "Void" && schema.ast.encoding === undefined) return voidSide
  if (isBytes(schema.ast) && schema.ast.checks === undefined) return bytesSide(schema, what)
  try {
    // once more after the declaration, when schemas that are suspended exist for sure
    const untyped = refusal(schema)
    if (untyped !== undefined) throw new Error(untyped)
    return schemaSide(schema, what, isMade)
  } catch (error) {
    throw new Error(`${what} cannot be sent: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error
    })
  }
}

const side = (encode: SchemaCodec["encode"], decode: SchemaCodec["decode"]): SchemaCodec => ({
  isSync: true,
  encode,
  encodeEffect: (value) => attempt(() => encode(value)),
  decode,
  decodeEffect: (bytes, owned) => attempt(() => decode(bytes, owned))
})

const attempt = <A>(f: () => A): Effect.Effect<A, CodecError> => {
  try {
    return Exit.succeed(f())
  } catch (error) {
    return error instanceof CodecError ? Exit.fail(error) : Exit.die(error)
  }
}

/** Whether values of the schema are sent without a frame of `SchemaBinary` around them. */
export const isBare = (schema: Schema.Top): boolean =>
  (schema.ast._tag === "Void" && schema.ast.encoding === undefined) ||
  (isBytes(schema.ast) && schema.ast.checks === undefined)

const nothing = new Uint8Array(0)
const voidSide = side(
  () => nothing,
  () => undefined
)

const bytesSide = (schema: Schema.Top, what: string): SchemaCodec =>
  side(
    (value) => {
      if (value instanceof Uint8Array) return value
      throw mismatch(new SchemaIssue.InvalidType(schema.ast), schema, what)
    },
    (bytes, owned) => (owned ? plain(bytes) : new Uint8Array(bytes))
  )

const schemaSide = (schema: Schema.Top, what: string, isMade: boolean): SchemaCodec => {
  const codec = SchemaBinary.toCodec(schema)
  const traits = traitsOf(schema.ast, codec.ast)
  const encoder = SchemaBinary.encoder(schema)
  const encodeValue = SchemaParser.encodeUnknownEffect(codec)
  const decodeValue = SchemaParser.decodeUnknownEffect(codec)
  const makeValue = isMade && traits.isMade ? SchemaParser.makeEffect(schema) : undefined
  const unmatched = (issue: SchemaIssue.Issue) => mismatch(issue, schema, what)
  // encoding stops at the first problem, and the binary layer knows less of where it is
  const inFull = (value: unknown, issue: SchemaIssue.Issue) => {
    const exit = Effect.runSyncExit(SchemaParser.makeEffect(schema)(value, { parseOptions: { errors: "all" } }))
    const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
    return unmatched(reason?._tag === "Fail" ? reason.error : issue)
  }
  const viewed = traits.hasBytes ? plain : (bytes: Uint8Array) => bytes
  let parser: SchemaBinary.Parser<unknown> | undefined

  return {
    isSync: !traits.suspends,
    encode: (value) => {
      try {
        return released(encoder.encode(makeValue === undefined ? value : now(makeValue(value))))
      } catch (error) {
        throw Schema.isSchemaError(error) ? inFull(value, error.issue) : error
      }
    },
    encodeEffect: (value) => {
      const made = makeValue === undefined ? Exit.succeed(value) : makeValue(value)
      return Effect.mapErrorEager(
        Effect.mapEager(
          Effect.flatMapEager(made, (value) => encodeValue(value)),
          released
        ),
        unmatched
      )
    },
    // a parser is the cheapest way to decode, but it is meant for streams: it is given whole frames only, since it
    // would wait for the rest of others, and is left behind when it failed, or holds on to a large frame
    decode: (bytes) => {
      if (!isFrame(bytes)) throw new CodecError(unreadable(what), [truncated])
      parser ??= SchemaBinary.parser(schema)
      try {
        const value = parser.feedSync(viewed(bytes))[0]
        if (bytes.length > arenaSize) parser = undefined
        return value
      } catch (error) {
        parser = undefined
        throw Schema.isSchemaError(error) ? new CodecError(unreadable(what), problemsOf(error.issue, schema)) : error
      }
    },
    decodeEffect: (bytes) =>
      Effect.mapErrorEager(
        decodeValue(viewed(bytes)),
        (issue) => new CodecError(unreadable(what), problemsOf(issue, schema))
      )
  }
}

export const mismatch = (issue: SchemaIssue.Issue, schema: Schema.Top, what: string): CodecError =>
  new CodecError(`${what} does not match its schema`, problemsOf(issue, schema))

export const unreadable = (what: string) => `${what} cannot be read`
const truncated: Problem = { path: "", problem: "it is not one whole frame" }

/** The value of an effect that is known to be sync. */
const now = <A>(effect: Effect.Effect<A, SchemaIssue.Issue>): A => {
  const exit = Effect.runSyncExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  const reason = exit.cause.reasons[0]
  throw reason?._tag === "Fail"
    ? new Schema.SchemaError(reason.error)
    : reason?._tag === "Die"
      ? reason.defect
      : new Error("interrupted")
}

/** Plain bytes rather than a Buffer, whose `slice` is a view: a value must not alias the buffer it was read from. */
export const plain = (bytes: Uint8Array): Uint8Array =>
  bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Whether the bytes are exactly one frame of `SchemaBinary`: a varint length, and as many bytes. */
const isFrame = (bytes: Uint8Array): boolean => {
  let length = 0
  let scale = 1
  for (let i = 0; i < 6 && i < bytes.length; i++) {
    const byte = bytes[i]!
    length += (byte & 0x7f) * scale
    if (byte < 0x80) return length > 0 && i + 1 + length === bytes.length
    scale *= 128
  }
  return false
}

const arenaSize = 64 * 1024

/**
 * `SchemaBinary` writes into an arena that grows with the largest message and is then filled to its end: 1 GiB would
 * stay around long after the message has gone. Encoding inside an encoding makes it start a new arena.
 */
export const released = (bytes: Uint8Array): Uint8Array => {
  if (bytes.buffer.byteLength > arenaSize) release()
  return bytes
}

// made when it is needed: a boot does not pay for it
let nested: (() => void) | undefined

const release = (): void => {
  if (nested === undefined) {
    const inner = SchemaBinary.encoder(Schema.Boolean)
    const outer = SchemaBinary.encoder(Schema.Struct({ inner: Schema.Number }))
    nested = () =>
      void outer.encode({
        get inner() {
          return inner.encode(true).length
        }
      })
  }
  nested()
}

interface Traits {
  /** Some part may suspend or need a service. */
  suspends: boolean
  /** `make` gives something else than it takes: there are defaults or classes. */
  isMade: boolean
  hasBytes: boolean
}

const traitsOf = (schema: SchemaAST.AST, codec: SchemaAST.AST): Traits => {
  const traits: Traits = { suspends: false, isMade: false, hasBytes: false }
  const seen = new Set<SchemaAST.AST>()
  const visit = (ast: SchemaAST.AST, links: ReadonlyArray<SchemaAST.Link>): void => {
    if (seen.has(ast)) return
    seen.add(ast)
    const made = ast.context?.constructorDefault
    if (made !== undefined) {
      traits.isMade = true
      if (!Exit.isExit(made)) traits.suspends = true
    }
    if (ast._tag === "Declaration" && "~constructor" in (ast.annotations ?? {})) traits.isMade = true
    if (isBytes(ast)) traits.hasBytes = true
    for (const { to, transformation } of links) {
      if (transformation._tag === "Middleware" || isEffect(transformation.decode) || isEffect(transformation.encode))
        traits.suspends = true
      visit(to, to.encoding ?? [])
    }
    for (const [, child] of children(ast)) visit(child, child.encoding ?? [])
  }
  visit(schema, schema.encoding ?? [])
  // the codec has the schema as it is encoded; its last link is the one to bytes, which only looks like an Effect
  visit(codec, codec.encoding?.slice(0, -1) ?? [])
  return traits
}

const isEffect = ({ _tag }: { readonly _tag: string }): boolean =>
  _tag === "TransformEffect" || _tag === "TransformOptionalEffect"
