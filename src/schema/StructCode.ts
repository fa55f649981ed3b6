/**
 * Code for the fields of a struct, compiled once its coder has proven busy.
 *
 * A closure for all structs writes to objects whose keys it does not know, which costs V8 more than the values do. Compiled
 * code names its keys: it reads and makes objects of one shape. The compiled code does the same as the loops of `struct`, in
 * their order.
 */
import type { ByteReader } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { unfit } from "./Data.ts"
import { boolean, number, readIndex, string, type ValueCoder } from "./LeafCoders.ts"

/** A field of a struct. */
export interface Field {
  readonly name: PropertyKey
  readonly isOptional: boolean
  /** Whether every object has such a key by its prototype, so that only an own key counts. */
  readonly isInherited: boolean
  readonly coder: ValueCoder
}

/** Writes and reads the fields of a struct, in their order. */
export interface FieldsCoder {
  readonly write: (w: ByteWriter, from: Record<PropertyKey, unknown>) => void
  readonly read: (r: ByteReader) => Record<PropertyKey, unknown>
}

/** Compiles the fields. Undefined if a key is not a plain name, or if the process forbids compiling code. */
export const compileFields = (fields: ReadonlyArray<Field>): FieldsCoder | undefined => {
  if (!fields.every(({ isInherited, name }) => typeof name === "string" && !isInherited)) return undefined
  const coders = fields.map(({ coder }) => coder)
  try {
    // the names of fields are the only text of a schema in the code, as JSON strings; nothing of a value is in it
    // oxlint-disable-next-line typescript/no-implied-eval
    const compiled = new Function(
      "coders",
      "unfit",
      "readIndex",
      `return { ${writeCode(fields)}, ${readCode(fields)} }`
    )
    return compiled(coders, unfit, readIndex) as FieldsCoder
  } catch {
    return undefined
  }
}

const keyOf = ({ name }: Field): string => JSON.stringify(name)

const writeCode = (fields: ReadonlyArray<Field>): string => {
  const lines = fields.map((field, i) => {
    const key = keyOf(field)
    const value = `v${i}`
    const isThere = `${value} !== undefined || ${key} in from`
    const write = writeValue(field, i, value)
    if (field.isOptional)
      return `const ${value} = from[${key}]; if (${isThere}) { w.byte(1); ${write} } else w.byte(0);`
    const leaf = leaves.has(field.coder)
    return `const ${value} = from[${key}]; ${leaf ? "" : `if (!(${isThere})) throw unfit; `}${write}`
  })
  return `write(w, from) { ${lines.join("\n")} }`
}

const leaves: ReadonlyMap<ValueCoder, { readonly type: string; readonly write: (value: string) => string }> = new Map([
  [string, { type: "string", write: (value: string) => `w.text(${value});` }],
  [number, { type: "number", write: (value: string) => `w.number(${value});` }],
  [boolean, { type: "boolean", write: (value: string) => `w.byte(${value} ? 1 : 0);` }]
])

const writeValue = ({ coder }: Field, i: number, value: string): string => {
  const leaf = leaves.get(coder)
  return leaf === undefined
    ? `coders[${i}].write(w, ${value});`
    : `if (typeof ${value} !== "${leaf.type}") throw unfit; ${leaf.write(value)}`
}

const readCode = (fields: ReadonlyArray<Field>): string => {
  const firstOptional = fields.findIndex(({ isOptional }) => isOptional)
  const until = firstOptional < 0 ? fields.length : firstOptional
  const literal = fields.slice(0, until).map((field, i) => `${keyOf(field)}: ${readValue(field, i)}`)
  const rest = fields.slice(until).map((field, i) => {
    const assign = `into[${keyOf(field)}] = ${readValue(field, until + i)};`
    return field.isOptional ? `if (readIndex(r, 2) !== 0) ${assign}` : assign
  })
  return `read(r) { const into = { ${literal.join(", ")} }; ${rest.join("\n")} return into }`
}

const readValue = ({ coder }: Field, i: number): string =>
  coder === string ? "r.text()" : coder === number ? "r.number()" : `coders[${i}].read(r)`
