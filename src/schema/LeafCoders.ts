/** Coders of values without parts: primitives, literals, bytes, times, and data that carries its own type. */
import * as DateTime from "effect/DateTime"
import { type ByteReader, Malformed } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { LimitError } from "./bound/ValueLimits.ts"
import { nameOfSymbol, readData, readSymbol, readUtc, unfit, Units, writeData } from "./Data.ts"
import { detachedBytes, isDetached } from "./OwnBytes.ts"

/**
 * Writes and reads the values of a schema. Throws `unfit` for a value that does not fit, and `Malformed` for bytes that are
 * no value.
 */
export interface ValueCoder {
  readonly write: (w: ByteWriter, value: unknown) => void
  readonly read: (r: ByteReader) => unknown
}

/**
 * The weight of a level of data without a layout in a union of unions: the schema may try each member at each level.
 */
const ambiguity = 10

/** A coder of values that take longer than others. */
export const charged = ({ read, write }: ValueCoder, units: number): ValueCoder => ({
  write: (w, value) => {
    w.charge(units)
    write(w, value)
  },
  read: (r) => {
    r.charge(units)
    return read(r)
  }
})

/** Characters of transformed text that take as long as a part of a value: the slowest of Effect's parsers, doubled. */
const perUnit = 16

/** A coder of text that is parsed by a transformation, in a time that depends on its length. */
export const chargedText = ({ read, write }: ValueCoder): ValueCoder => ({
  write: (w, value) => {
    if (typeof value === "string") w.charge(value.length / perUnit)
    write(w, value)
  },
  read: (r) => {
    const text = read(r)
    if (typeof text === "string") r.charge(text.length / perUnit)
    return text
  }
})

export const string: ValueCoder = {
  write: (w, value) => {
    if (typeof value !== "string") throw unfit
    w.text(value)
  },
  read: (r) => r.text()
}

export const number: ValueCoder = {
  write: (w, value) => {
    if (typeof value !== "number") throw unfit
    w.number(value)
  },
  read: (r) => r.number()
}

export const boolean: ValueCoder = {
  write: (w, value) => {
    if (typeof value !== "boolean") throw unfit
    w.byte(value ? 1 : 0)
  },
  read: (r) => {
    const byte = r.byte()
    if (byte > 1) throw new Malformed("a boolean is neither 0 nor 1")
    return byte === 1
  }
}

export const bigint: ValueCoder = charged(
  {
    write: (w, value) => {
      if (typeof value !== "bigint") throw unfit
      w.bigint(value)
    },
    read: (r) => r.bigint()
  },
  Units.bigint
)

export const symbol: ValueCoder = charged(
  {
    write: (w, value) => {
      if (typeof value !== "symbol") throw unfit
      w.text(nameOfSymbol(value))
    },
    read: readSymbol
  },
  Units.symbol
)

export const bytes: ValueCoder = charged(
  {
    write: (w, value) => {
      if (!(value instanceof Uint8Array)) throw unfit
      if (isDetached(value)) throw new LimitError(detachedBytes)
      w.raw(value)
    },
    read: (r) => r.raw()
  },
  Units.bytes
)

export const date: ValueCoder = charged(
  {
    write: (w, value) => {
      if (!(value instanceof Date)) throw unfit
      w.number(value.getTime())
    },
    read: (r) => new Date(r.number())
  },
  Units.date
)

export const utc: ValueCoder = charged(
  {
    write: (w, value) => {
      if (!DateTime.isDateTime(value) || !DateTime.isUtc(value)) throw unfit
      w.number(value.epochMilliseconds)
    },
    read: (r) => readUtc(r)
  },
  Units.utc
)

export const json: ValueCoder = {
  write: (w, value) => writeData(w, value, true),
  read: (r) => readData(r, true)
}

export const data: ValueCoder = {
  write: (w, value) => {
    w.charge(Units.data)
    w.enter(1, ambiguity)
    writeData(w, value, false)
    w.leave(ambiguity)
  },
  read: (r) => {
    r.charge(Units.data)
    r.enter(1, ambiguity)
    const value = readData(r, false)
    r.leave(ambiguity)
    return value
  }
}

export const declared: Readonly<Record<string, ValueCoder | undefined>> = {
  "effect/schema/Uint8Array": bytes,
  "effect/schema/Date": date,
  "effect/schema/DateTimeUtc": utc
}

export const nothing: ValueCoder = {
  write: (w) => w.byte(0),
  read: (r) => void readIndex(r, 1)
}

export const never: ValueCoder = {
  write: () => {
    throw unfit
  },
  read: () => {
    throw new Malformed("there is a value where there can be none")
  }
}

/** A coder of one of several fixed values by its index, also if there is only one, so that every value takes a byte. */
export const literals = (values: ReadonlyArray<unknown>): ValueCoder => {
  const indexes = new Map(values.map((value, index) => [value, index]))
  return {
    write: (w, value) => {
      const index = indexes.get(value)
      if (index === undefined) throw unfit
      checkZero(value, values[index])
      w.length(index)
    },
    read: (r) => values[readIndex(r, values.length)]
  }
}

/** Refuses -0 for the literal 0, and 0 for -0: Schema takes each for the other, but the index of a literal has no sign. */
export const checkZero = (value: unknown, literal: unknown): void => {
  if (value === 0 && !Object.is(value, literal)) throw new LimitError("is a zero of another sign than its literal")
}

export const readIndex = (r: ByteReader, count: number): number => {
  const index = r.length()
  if (index >= count) throw new Malformed(`there is no member ${index} of ${count}`)
  return index
}
