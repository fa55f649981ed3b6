/**
 * How the items of a stream travel together: as one array, which costs `SchemaBinary` a third of what as many values cost
 * where they repeat strings, and no more where they do not.
 *
 * It puts a length before each array by itself. Bytes and nothing travel one by one, and are given theirs here.
 */
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Schema from "effect/Schema"
import { CodecError, isBare, makeSchemaCodec, mismatch, plain, released, unreadable } from "./SchemaCodec.ts"
import { problemsOf } from "./SchemaProblems.ts"
import { eachMessage, maxPrefix, writeLength } from "./Varint.ts"

export interface ItemCodec {
  /** Items as messages in pieces that follow each other; large bytes are passed by reference. Throws a `CodecError`. */
  readonly encodeMany: (items: ReadonlyArray<unknown>) => ReadonlyArray<Uint8Array>
  /** The items in messages that are theirs from now on, each with its length before it. */
  readonly decodeMany: (messages: Uint8Array) => Decoded
}

/** What was read, and what is wrong with the message after it. */
export interface Decoded {
  readonly items: ReadonlyArray<unknown>
  readonly failure: { readonly error: unknown } | undefined
}

/** Compiles the codec of a schema's values as items; `what` names one of them in errors. */
export const makeItemCodec = (schema: Schema.Top, what: string): ItemCodec =>
  isBare(schema) ? bareItems(schema, what) : schemaItems(schema, what)

const schemaItems = (schema: Schema.Top, what: string): ItemCodec => {
  const array = Schema.Array(schema)
  const encoder = SchemaBinary.encoder(array)
  const one = makeSchemaCodec(schema, what, false)
  let parser: SchemaBinary.Parser<ReadonlyArray<unknown>> | undefined
  return {
    encodeMany: (items) => {
      try {
        return [released(encoder.encode(items))]
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
        return { items: joined(arrays), failure: undefined }
      } catch (error) {
        parser = undefined
        const failed = Schema.isSchemaError(error)
          ? new CodecError(unreadable(what), problemsOf(error.issue, array))
          : error
        return { items: joined(arrays), failure: { error: failed } }
      }
    }
  }
}

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
    }
  }
}
