/**
 * Encodes the items of a stream together, as one array with its length before it.
 *
 * An item whose encoding suspends is an array of one. Items that are raw bytes or nothing are written one by one, each
 * with its length.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import {
  CodecError,
  type CodecOptions,
  isBare,
  makeSchemaCodec,
  makeValueCodec,
  type SchemaCodec
} from "./SchemaCodec.ts"
import { eachMessage, lengthOf, maxPrefix, writeLength } from "./Varint.ts"

export interface ItemCodec {
  /** Encodes items as messages, in pieces that follow each other. Large bytes are passed by reference. Throws a `CodecError`. */
  readonly encodeMany: (items: ReadonlyArray<unknown>) => ReadonlyArray<Uint8Array>
  /** Decodes messages with their lengths. The items may keep views of the bytes. */
  readonly decodeMany: (messages: Uint8Array) => Decoded
  /** Encodes an item as a message with its length, where its schema needs a service or time. */
  readonly encodeEffect: (item: unknown) => ReturnType<SchemaCodec["encodeEffect"]>
  /** Decodes messages with their lengths, where the schema needs a service or time. */
  readonly decodeManyEffect: (messages: Uint8Array) => Effect.Effect<Decoded, never, unknown>
}

/** The largest number of bytes around a single item of a message. */
export const aroundItem = 32

/** The items that were read before the first one that cannot be read, and why that one cannot. */
export interface Decoded {
  readonly items: ReadonlyArray<unknown>
  readonly failure: Exit.Exit<unknown> | undefined
}

/** Compiles the codec of a schema's values as items. */
export const makeItemCodec = (schema: Schema.Top, options: CodecOptions): ItemCodec =>
  isBare(schema) ? bareItems(schema, options) : schemaItems(schema, options)

const schemaItems = (schema: Schema.Top, options: CodecOptions): ItemCodec => {
  const array = makeSchemaCodec(Schema.Array(schema), options)
  const one = makeValueCodec(schema, options)
  return {
    encodeMany: (items) => {
      try {
        const bytes = array.encode(items)
        return [lengthOf(bytes.length), bytes]
      } catch (error) {
        // The error names the path within the first item that does not fit, without the index in the batch.
        if (error instanceof CodecError) for (const item of items) one.encode(item)
        throw error
      }
    },
    decodeMany: (messages) => {
      const items: Array<unknown> = []
      try {
        eachMessage(messages, (message) => one.decodeEach(message, (item) => items.push(item)))
        return { items, failure: undefined }
      } catch (error) {
        return { items, failure: Exit.die(error) }
      }
    },
    encodeEffect: (item) =>
      Effect.mapEager(array.encodeEffect([item]), (bytes) => Buffer.concat([lengthOf(bytes.length), bytes])),
    decodeManyEffect: (messages) => {
      const items: Array<unknown> = []
      const bodies: Array<Uint8Array> = []
      eachMessage(messages, (message) => bodies.push(message))
      const decoded = Effect.forEach(bodies, (body) => one.decodeEachEffect(body, (item) => items.push(item)), {
        discard: true
      })
      return Effect.map(Effect.exit(Effect.orDie(decoded)), (exit) => ({
        items,
        failure: Exit.isFailure(exit) ? exit : undefined
      }))
    }
  }
}

/** Size above which items of bytes are passed by reference, in bytes. */
const copyLimit = 4 * 1024
const slabSize = 32 * 1024

const bareItems = (schema: Schema.Top, options: CodecOptions): ItemCodec => {
  const one = makeSchemaCodec(schema, options)
  const decodeMany = (messages: Uint8Array): Decoded => {
    const items: Array<unknown> = []
    eachMessage(messages, (message) => items.push(one.decode(owned(message), true)))
    return { items, failure: undefined }
  }
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
    decodeMany,
    encodeEffect: one.encodeEffect,
    decodeManyEffect: (messages) => Effect.sync(() => decodeMany(messages))
  }
}

/** An item of bytes keeps at most twice its own memory alive: a view of a larger buffer is copied. */
const owned = (bytes: Uint8Array): Uint8Array =>
  bytes.buffer.byteLength > 2 * bytes.length ? new Uint8Array(bytes) : bytes
