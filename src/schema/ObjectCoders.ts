/** Coders of objects: fields that the schema names, in the order of their names, and keys that are data. */
import * as SchemaAST from "effect/SchemaAST"
import { type ByteReader, Malformed } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { assign, isPlain, ownKeys, readKey, unfit, Units, writeKey } from "./Data.ts"
import { data, readIndex, type ValueCoder } from "./LeafCoders.ts"
import { compileFields, type Field, type FieldsCoder } from "./StructCode.ts"
import { LimitError } from "./bound/ValueLimits.ts"

export type Compile = (ast: SchemaAST.AST) => ValueCoder

const fieldsOf = (ast: SchemaAST.Objects, compile: Compile): ReadonlyArray<Field> =>
  ast.propertySignatures
    .map(({ name, type }) => ({
      name,
      isOptional: SchemaAST.isOptional(type),
      isInherited: name in Object.prototype,
      coder: compile(type)
    }))
    .toSorted((a, b) => (String(a.name) < String(b.name) ? -1 : 1))

/**
 * The number of values after which the fields of a struct are compiled. Compiling takes as long as a hundred values.
 */
const busy = 200

export const struct = (ast: SchemaAST.Objects, compile: Compile): ValueCoder => {
  const fields = fieldsOf(ast, compile)
  const looped: FieldsCoder = {
    write: (w, from) => {
      if (fields.length === 0) writeEmpty(w, from)
      for (const field of fields) writeField(w, field, from)
    },
    read: (r) => {
      if (fields.length === 0) readIndex(r, 1)
      const object: Record<PropertyKey, unknown> = {}
      for (const field of fields) readField(r, field, object)
      return object
    }
  }
  let uses = 0
  let current = looped
  const used = (): void => {
    if (++uses === busy && fields.length > 0) current = compileFields(fields) ?? looped
  }
  return {
    write: (w, value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw unfit
      if (uses < busy) used()
      w.enter(fields.length)
      current.write(w, value as Record<PropertyKey, unknown>)
      w.leave()
    },
    read: (r) => {
      if (uses < busy) used()
      r.enter(fields.length)
      const object = current.read(r)
      r.leave()
      return object
    }
  }
}

/**
 * Writes `Schema.Struct({})`, which takes any value but null and keeps its keys. Only an empty object has a layout, of one
 * byte, because every value takes at least one.
 */
const writeEmpty = (w: ByteWriter, value: object): void => {
  if (ownKeys(value).length > 0 || !isPlain(value)) {
    throw new LimitError("is more than {}, and its schema, Schema.Struct({}), names nothing of it: it would be lost")
  }
  w.byte(0)
}

const writeField = (w: ByteWriter, field: Field, from: Record<PropertyKey, unknown>): void => {
  const { coder, isInherited, isOptional, name } = field
  const value = from[name]
  const isThere = isInherited ? Object.hasOwn(from, name) : value !== undefined || name in from
  if (isOptional) w.byte(isThere ? 1 : 0)
  if (isThere) coder.write(w, value)
  else if (!isOptional) throw unfit
}

const readField = (r: ByteReader, { coder, isOptional, name }: Field, into: Record<PropertyKey, unknown>): void => {
  if (isOptional && readIndex(r, 2) === 0) return
  if (name === "__proto__") assign(into, name, coder.read(r))
  else into[name] = coder.read(r)
}

/** A coder of objects whose keys are data, beside keys that the schema names. */
export const record = (ast: SchemaAST.Objects, compile: Compile): ValueCoder => {
  const fields = fieldsOf(ast, compile)
  const named = new Set(fields.map(({ name }) => name))
  const [first, ...others] = ast.indexSignatures
  // With one signature every key belongs to it. With several, the values carry their own type.
  const values = others.length === 0 ? compile(first!.type) : data
  const keysOf = hasSymbols(first!.parameter) || others.length > 0 ? ownKeys : Object.keys
  return {
    write: (w, value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw unfit
      const object = value as Record<PropertyKey, unknown>
      let keys: ReadonlyArray<string | symbol> = keysOf(object)
      if (named.size > 0) keys = keys.filter((key) => !named.has(key))
      w.length(keys.length)
      w.charge(keys.length * Units.key)
      w.enter(keys.length + fields.length)
      for (const key of keys) {
        writeKey(w, key)
        values.write(w, object[key])
      }
      for (const field of fields) writeField(w, field, object)
      w.leave()
    },
    read: (r) => {
      const count = r.length()
      r.charge(count * Units.key)
      r.enter(count + fields.length)
      const object: Record<PropertyKey, unknown> = {}
      for (let i = 0; i < count; i++) {
        const key = readKey(r)
        if (named.has(key) || (typeof key === "symbol" && keysOf !== ownKeys)) throw new Malformed("a key does not fit")
        assign(object, key, values.read(r))
      }
      for (const field of fields) readField(r, field, object)
      r.leave()
      return object
    }
  }
}

const hasSymbols = (parameter: SchemaAST.AST): boolean => {
  const encoded = SchemaAST.toEncoded(parameter)
  return encoded._tag === "Symbol" || (encoded._tag === "Union" && encoded.types.some(hasSymbols))
}
