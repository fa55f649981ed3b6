/**
 * Data without a layout: each value carries its type.
 *
 * JSON is encoded in this way, and so is a union whose members cannot be told apart by a type or a literal. The schema
 * decides on the receiver which member a value is, as it does for JSON.
 */
import * as DateTime from "effect/DateTime"
import { type ByteReader, Malformed } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { KeptNames } from "./bound/KeptNames.ts"
import { detachedBytes, isDetached } from "./OwnBytes.ts"
import { LimitError } from "./bound/ValueLimits.ts"

const Tag = {
  null: 0,
  false: 1,
  true: 2,
  number: 3,
  text: 4,
  array: 5,
  object: 6,
  // Not in JSON.
  undefined: 7,
  bigint: 8,
  bytes: 9,
  date: 10,
  symbol: 11,
  utc: 12
} as const
const lastOfJson = Tag.object

/**
 * Weights of values that take longer to read than others. Measured, and the same on both sides. V8 may not know a key
 * yet.
 */
export const Units = {
  key: 7,
  bytes: 4,
  bigint: 4,
  date: 2,
  symbol: 1,
  utc: 6,
  data: 4,
  object: 3,
  transformed: 8
} as const

/** Thrown for a value that does not fit. */
export const unfit = Symbol("unfit")

/** Writes data. With `isJson`, only data that JSON has. */
export const writeData = (w: ByteWriter, value: unknown, isJson: boolean): void => {
  switch (typeof value) {
    case "string":
      w.byte(Tag.text)
      return w.text(value)
    case "number":
      if (isJson && !Number.isFinite(value)) throw unfit
      w.byte(Tag.number)
      return w.number(value)
    case "boolean":
      return w.byte(value ? Tag.true : Tag.false)
    case "object":
      if (value === null) return w.byte(Tag.null)
      if (Array.isArray(value)) return writeArray(w, value, isJson)
      if (!isJson) return writeInstance(w, value)
      if (!isPlain(value)) throw unfit
      return writeObject(w, value, isJson)
    default:
      if (isJson) throw unfit
  }
  switch (typeof value) {
    case "undefined":
      return w.byte(Tag.undefined)
    case "bigint":
      w.charge(Units.bigint)
      w.byte(Tag.bigint)
      return w.bigint(value)
    case "symbol":
      w.byte(Tag.symbol)
      return w.text(nameOfSymbol(value))
    default:
      throw unfit
  }
}

const writeInstance = (w: ByteWriter, value: object): void => {
  if (value instanceof Uint8Array) {
    if (isDetached(value)) throw new LimitError(detachedBytes)
    w.charge(Units.bytes)
    w.byte(Tag.bytes)
    return w.raw(value)
  }
  if (value instanceof Date) {
    w.charge(Units.date)
    w.byte(Tag.date)
    return w.number(value.getTime())
  }
  if (DateTime.isDateTime(value) && DateTime.isUtc(value)) {
    w.charge(Units.utc)
    w.byte(Tag.utc)
    return w.number(value.epochMilliseconds)
  }
  return writeObject(w, value, false)
}

const writeArray = (w: ByteWriter, values: ReadonlyArray<unknown>, isJson: boolean): void => {
  w.byte(Tag.array)
  w.length(values.length)
  w.enter(values.length)
  if (values.length > 1) w.share()
  for (let i = 0; i < values.length; i++) writeData(w, values[i], isJson)
  w.leave()
}

const writeObject = (w: ByteWriter, value: object, isJson: boolean): void => {
  if (isJson && hasSymbolKeys(value)) throw new LimitError("has symbols as keys, which JSON lacks: they would be lost")
  const keys: ReadonlyArray<string | symbol> = isJson ? Object.keys(value) : ownKeys(value)
  w.byte(Tag.object)
  w.length(keys.length)
  w.charge(keys.length * Units.key)
  w.enter(keys.length)
  for (const key of keys) {
    writeKey(w, key)
    writeData(w, (value as Record<PropertyKey, unknown>)[key], isJson)
  }
  w.leave()
}

/** Whether a value is an object of no class. */
export const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  // The prototype of objects of another realm has no prototype itself.
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

/** Reads data. */
export const readData = (r: ByteReader, isJson: boolean): unknown => {
  const tag = r.byte()
  if (isJson && tag > lastOfJson) throw new Malformed("it is no JSON")
  switch (tag) {
    case Tag.null:
      return null
    case Tag.false:
      return false
    case Tag.true:
      return true
    case Tag.number: {
      const number = r.number()
      if (isJson && !Number.isFinite(number)) throw new Malformed("it is no JSON")
      return number
    }
    case Tag.text:
      return r.text()
    case Tag.array: {
      const count = r.length()
      r.enter(count)
      if (count > 1) r.share()
      const values: Array<unknown> = []
      for (let i = 0; i < count; i++) values.push(readData(r, isJson))
      r.leave()
      return values
    }
    case Tag.object: {
      const count = r.length()
      r.charge(count * Units.key)
      r.enter(count)
      const object: Record<PropertyKey, unknown> = {}
      for (let i = 0; i < count; i++) {
        const key = readKey(r)
        if (isJson && typeof key === "symbol") throw new Malformed("it is no JSON")
        assign(object, key, readData(r, isJson))
      }
      r.leave()
      return object
    }
    case Tag.undefined:
      return undefined
    case Tag.bigint:
      r.charge(Units.bigint)
      return r.bigint()
    case Tag.bytes:
      r.charge(Units.bytes)
      return r.raw()
    case Tag.date:
      r.charge(Units.date)
      return new Date(r.number())
    case Tag.utc:
      r.charge(Units.utc)
      return readUtc(r)
    case Tag.symbol:
      return readSymbol(r)
    default:
      throw new Malformed("a value begins with an unknown byte")
  }
}

export const readUtc = (r: ByteReader): DateTime.Utc => {
  const millis = r.number()
  if (!(Math.abs(millis) <= 8.64e15)) throw new Malformed("a time is out of range")
  return DateTime.makeUnsafe(millis)
}

/** Own enumerable keys, including symbols. */
export const ownKeys = (value: object): Array<string | symbol> => {
  const keys: Array<string | symbol> = Object.keys(value)
  for (const key of Object.getOwnPropertySymbols(value)) {
    if (Object.prototype.propertyIsEnumerable.call(value, key)) keys.push(key)
  }
  return keys
}

/** Whether an object has keys that JSON would leave out without a word. */
const hasSymbolKeys = (value: object): boolean =>
  Object.getOwnPropertySymbols(value).some((key) => Object.prototype.propertyIsEnumerable.call(value, key))

/** A key: text after a 0, or the name of a registered symbol after a 1. */
export const writeKey = (w: ByteWriter, key: string | symbol): void => {
  w.byte(typeof key === "string" ? 0 : 1)
  w.text(typeof key === "string" ? key : nameOfSymbol(key))
}

export const readKey = (r: ByteReader): string | symbol => {
  switch (r.byte()) {
    case 0:
      return r.text()
    case 1:
      return readSymbol(r)
    default:
      throw new Malformed("a key begins with an unknown byte")
  }
}

/** The name under which both processes find a symbol. */
export const nameOfSymbol = (symbol: symbol): string => {
  const name = Symbol.keyFor(symbol)
  if (name === undefined) throw new LimitError("has a symbol that another process does not have: use Symbol.for")
  if (name.length > maxSymbolName) {
    throw new LimitError(`has a symbol whose name is longer than ${maxSymbolName} characters`)
  }
  symbols.own(name)
  return name
}

const maxSymbolName = 256
const maxSymbols = 10_000
const symbols = new KeptNames(maxSymbols)

/**
 * Reads a registered symbol. A process keeps each such symbol for ever, so it accepts only a fixed number from peers.
 */
export const readSymbol = (r: ByteReader): symbol => {
  const name = r.text()
  if (name.length > maxSymbolName) throw new Malformed(`the name of a symbol has more than ${maxSymbolName} characters`)
  if (!symbols.take(name)) throw new Malformed(`there are more than ${maxSymbols} symbols`)
  return Symbol.for(name)
}

/** Sets a key that is data. An assignment of `__proto__` would change the object's prototype. */
export const assign = (object: Record<PropertyKey, unknown>, key: PropertyKey, value: unknown): void => {
  if (key === "__proto__")
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  else object[key] = value
}
