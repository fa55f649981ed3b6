/**
 * How the items of a stream travel together: as one array, which costs `SchemaBinary` a third of what as many values cost
 * where they repeat strings, and no more where they do not. One whose encoding takes time is an array of one.
 *
 * It puts a length before each array by itself. Bytes and nothing travel one by one, and are given theirs here.
 */
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import {
  CodecError,
  isBare,
  makeSchemaCodec,
  mismatch,
  plain,
  released,
  type SchemaCodec,
  unreadable
} from "./SchemaCodec.ts"
import { problemsOf } from "./SchemaProblems.ts"
import { eachMessage, maxPrefix, writeLength } from "./Varint.ts"

export interface ItemCodec {
  /** Items as messages in pieces that follow each other; large bytes are passed by reference. Throws a `CodecError`. */
  readonly encodeMany: (items: ReadonlyArray<unknown>) => ReadonlyArray<Uint8Array>
  /** The items in messages that are theirs from now on, each with its length before it. */
  readonly decodeMany: (messages: Uint8Array) => Decoded
  /** An item as a message, where its schema needs a service or time. */
  readonly encodeEffect: (item: unknown) => Effect.Effect<Uint8Array, CodecError, unknown>
  /** The items in one message with its length before it, where their schema needs a service or time. */
  readonly decodeEffect: (message: Uint8Array) => Effect.Effect<ReadonlyArray<unknown>, CodecError, unknown>
}

/** Bytes that a message may have around its only item, at most. */
export const aroundItem = 32

/** What was read, and what is wrong with the message after it. */
export interface Decoded {
  readonly items: ReadonlyArray<unknown>
  readonly failure: { readonly error: unknown } | undefined
}

/** Compiles the codec of a schema's values as items; `what` names one of them in errors. */
export const makeItemCodec = (schema: Schema.Top, what: string): ItemCodec =>
  isBare(schema) ? bareItems(schema, what) : schemaItems(schema, what)

const schemaItems = (schema: Schema.Top, what: string): ItemCodec => {
  const { array, unwrap, wrap } = arrayOf(schema)
  const encoder = SchemaBinary.encoder(array)
  const one = makeSchemaCodec(schema, what, false)
  let parser: SchemaBinary.Parser<ReadonlyArray<unknown>> | undefined
  let effects: SchemaCodec | undefined
  const later = () => (effects ??= makeSchemaCodec(array, what, false))
  return {
    encodeMany: (items) => {
      try {
        return [released(encoder.encode(wrap(items)))]
      } catch (error) {
        if (!Schema.isSchemaError(error)) throw error
        // says in full what is wrong with the first that does not fit
        for (const item of items) one.encode(item)
        throw mismatch(error.issue, schema, what)
      }
    },
    decodeMany: (messages) => {
      parser ??= SchemaBinary.parser(array)
      let arrays: ReadonlyArray<ReadonlyArray<unknown>> = []
      try {
        arrays = parser.feedSync(plain(messages))
        // what is wrong with a message is kept back until those before it are taken
        parser.feedSync(nothing)
        if (messages.length > keptBytes) parser = undefined
        return { items: unwrap(joined(arrays)), failure: undefined }
      } catch (error) {
        parser = undefined
        const failed = Schema.isSchemaError(error)
          ? new CodecError(unreadable(what), problemsOf(error.issue, array))
          : error
        return { items: unwrap(joined(arrays)), failure: { error: failed } }
      }
    },
    encodeEffect: (item) => later().encodeEffect(wrap([item])),
    decodeEffect: (message) =>
      Effect.mapEager(later().decodeEffect(message, true), (items) => unwrap(items as ReadonlyArray<unknown>))
  }
}

type Many = (items: ReadonlyArray<unknown>) => ReadonlyArray<unknown>
const same: Many = (items) => items

/** The schema of an array of items, and what stands in it for them. */
const arrayOf = (
  schema: Schema.Top
): {
  readonly array: Schema.Top & { readonly Type: ReadonlyArray<unknown> }
  readonly wrap: Many
  readonly unwrap: Many
} =>
  isWeightless(Schema.toEncoded(schema).ast)
    ? {
        array: Schema.Array(Schema.Tuple([schema])),
        wrap: (items) => items.map((item) => [item]),
        unwrap: (tuples) => tuples.map((tuple) => (tuple as readonly [unknown])[0])
      }
    : { array: Schema.Array(schema), wrap: same, unwrap: same }

/** Whether a value takes no byte of its own: a runner could send millions of them in six, which a tuple's takes. */
const isWeightless = (ast: SchemaAST.AST): boolean =>
  ast._tag === "Null" || ast._tag === "Undefined" || (ast._tag === "Suspend" && isWeightless(ast.thunk()))

const joined = (arrays: ReadonlyArray<ReadonlyArray<unknown>>): ReadonlyArray<unknown> =>
  arrays.length === 1 ? arrays[0]! : arrays.flat()

/** A parser holds on to what it was given last. */
const keptBytes = 64 * 1024
const nothing = new Uint8Array(0)

/** Above this bytes are passed by reference. */
const copyLimit = 4 * 1024
const slabSize = 32 * 1024

const bareItems = (schema: Schema.Top, what: string): ItemCodec => {
  const one = makeSchemaCodec(schema, what, false)
  return {
    encodeMany: (items) => {
      const pieces: Array<Uint8Array> = []
      let slab = Buffer.allocUnsafe(0)
      let start = 0
      let at = 0
      for (const item of items) {
        const bytes = one.encode(item)
        const { length } = bytes
        const copied = length <= copyLimit
        const room = maxPrefix + (copied ? length : 0)
        if (slab.length - at < room) {
          if (at > start) pieces.push(slab.subarray(start, at))
          slab = Buffer.allocUnsafeSlow(Math.min(slabSize, items.length * room))
          start = at = 0
        }
        at = writeLength(slab, at, length)
        if (copied) {
          slab.set(bytes, at)
          at += length
        } else {
          pieces.push(slab.subarray(start, at), bytes)
          start = at
        }
      }
      if (at > start) pieces.push(slab.subarray(start, at))
      return pieces
    },
    decodeMany: (messages) => {
      const items: Array<unknown> = []
      eachMessage(messages, (message) => items.push(one.decode(message, true)))
      return { items, failure: undefined }
    },
    encodeEffect: one.encodeEffect,
    decodeEffect: (message) => Effect.mapEager(one.decodeEffect(message, true), (item) => [item])
  }
}
