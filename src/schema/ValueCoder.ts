/**
 * What writes and reads the values of one schema: a closure for each node, made once.
 *
 * The layout is positional, because both processes have the same schema: fields in the order of their names, without
 * their names; members of a union by their index. A coder checks what it writes and what it reads.
 */
import * as DateTime from "effect/DateTime"
import * as SchemaAST from "effect/SchemaAST"
import { type ByteReader, Malformed } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { assign, nameOfSymbol, ownKeys, readData, readKey, readSymbol, readUtc, unfit, writeData, writeKey } from "./Data.ts"
import { representationOf } from "./SchemaLayout.ts"
import { isAmbiguous, type Members, membersOf } from "./UnionMembers.ts"

/** Throws `unfit` for a value that does not fit, `Malformed` for bytes that are no value. */
export interface ValueCoder {
  readonly write: (w: ByteWriter, value: unknown) => void
  readonly read: (r: ByteReader) => unknown
}

/** Compiles the coder of an encoded schema; `isChecked` says whether values are to pass the schema's checks here. */
export const coderOf = (ast: SchemaAST.AST, isChecked: boolean): ValueCoder => new Compiler(isChecked).compile(ast)

/** Levels that data without a layout counts as, in unions of unions: the schema may try each member at each level. */
const ambiguity = 10

class Compiler {
  private readonly known = new Map<SchemaAST.AST, ValueCoder>()
  private readonly isChecked: boolean

  constructor(isChecked: boolean) {
    this.isChecked = isChecked
  }

  readonly compile = (ast: SchemaAST.AST): ValueCoder => {
    let coder = this.known.get(ast)
    if (coder === undefined) {
      coder = this.node(ast)
      if (this.isChecked && ast.checks !== undefined) coder = checked(coder, ast, ast.checks)
      this.known.set(ast, coder)
    }
    return coder
  }

  private node(ast: SchemaAST.AST): ValueCoder {
    switch (ast._tag) {
      case "String":
      case "TemplateLiteral":
        return string
      case "Number":
        return number
      case "Boolean":
        return boolean
      case "BigInt":
        return bigint
      case "Symbol":
        return symbol
      case "Null":
        return literals([null])
      case "Undefined":
        return literals([undefined])
      case "Void":
        return nothing
      case "Literal":
        return literals([ast.literal])
      case "UniqueSymbol":
        return literals([ast.symbol])
      case "Enum":
        return literals(ast.enums.map(([, value]) => value))
      case "Arrays":
        return array(ast, this.compile)
      case "Objects":
        return ast.indexSignatures.length === 0 ? struct(ast, this.compile) : record(ast, this.compile)
      case "Union":
        return this.union(ast)
      case "Suspend":
        return this.suspended(ast)
      case "Declaration":
        return declared[representationOf(ast)?.id ?? ""] ?? json
      case "Never":
        return never
      default:
        return json
    }
  }

  private suspended(ast: SchemaAST.Suspend): ValueCoder {
    let inner: ValueCoder | undefined
    const coder = () => (inner ??= this.compile(ast.thunk()))
    return { write: (w, value) => coder().write(w, value), read: (r) => coder().read(r) }
  }

  private union(ast: SchemaAST.Union): ValueCoder {
    if (isAmbiguous(ast)) return data
    return union(membersOf(ast)!, this.compile)
  }
}

type Compile = (ast: SchemaAST.AST) => ValueCoder

const checked = ({ read, write }: ValueCoder, ast: SchemaAST.AST, checks: SchemaAST.Checks): ValueCoder => {
  const passes = (check: SchemaAST.Check<unknown>, value: unknown): boolean =>
    check._tag === "FilterGroup"
      ? check.checks.every((inner) => passes(inner as SchemaAST.Check<unknown>, value))
      : check.run(value, ast, {}) === undefined
  return {
    write: (w, value) => {
      write(w, value)
      for (const check of checks) if (!passes(check, value)) throw unfit
    },
    read: (r) => {
      const value = read(r)
      for (const check of checks) if (!passes(check, value)) throw new Malformed("a value does not pass its checks")
      return value
    }
  }
}

const string: ValueCoder = {
  write: (w, value) => {
    if (typeof value !== "string") throw unfit
    w.text(value)
  },
  read: (r) => r.text()
}

const number: ValueCoder = {
  write: (w, value) => {
    if (typeof value !== "number") throw unfit
    w.number(value)
  },
  read: (r) => r.number()
}

const boolean: ValueCoder = {
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

const bigint: ValueCoder = {
  write: (w, value) => {
    if (typeof value !== "bigint") throw unfit
    w.bigint(value)
  },
  read: (r) => r.bigint()
}

const symbol: ValueCoder = {
  write: (w, value) => {
    if (typeof value !== "symbol") throw unfit
    w.text(nameOfSymbol(value))
  },
  read: readSymbol
}

const bytes: ValueCoder = {
  write: (w, value) => {
    if (!(value instanceof Uint8Array)) throw unfit
    w.raw(value)
  },
  read: (r) => r.raw()
}

const date: ValueCoder = {
  write: (w, value) => {
    if (!(value instanceof Date)) throw unfit
    w.number(value.getTime())
  },
  read: (r) => new Date(r.number())
}

const utc: ValueCoder = {
  write: (w, value) => {
    if (!DateTime.isDateTime(value) || !DateTime.isUtc(value)) throw unfit
    w.number(value.epochMilliseconds)
  },
  read: (r) => readUtc(r)
}

const json: ValueCoder = {
  write: (w, value) => writeData(w, value, true),
  read: (r) => readData(r, true)
}

const data: ValueCoder = {
  write: (w, value) => {
    w.enter(1, ambiguity)
    writeData(w, value, false)
    w.leave(ambiguity)
  },
  read: (r) => {
    r.enter(1, ambiguity)
    const value = readData(r, false)
    r.leave(ambiguity)
    return value
  }
}

const declared: Readonly<Record<string, ValueCoder | undefined>> = {
  "effect/schema/Uint8Array": bytes,
  "effect/schema/Date": date,
  "effect/schema/DateTimeUtc": utc
}

const nothing: ValueCoder = {
  write: (w) => w.byte(0),
  read: (r) => void readIndex(r, 1)
}

const never: ValueCoder = {
  write: () => {
    throw unfit
  },
  read: () => {
    throw new Malformed("there is a value where there can be none")
  }
}

/** The index of one of some values; also where there is only one, so that no value takes no byte. */
const literals = (values: ReadonlyArray<unknown>): ValueCoder => {
  const indexes = new Map(values.map((value, index) => [value, index]))
  return {
    write: (w, value) => {
      const index = indexes.get(value)
      if (index === undefined) throw unfit
      w.length(index)
    },
    read: (r) => values[readIndex(r, values.length)]
  }
}

const readIndex = (r: ByteReader, count: number): number => {
  const index = r.length()
  if (index >= count) throw new Malformed(`there is no member ${index} of ${count}`)
  return index
}

const array = ({ elements, rest }: SchemaAST.Arrays, compile: Compile): ValueCoder => {
  const first = elements.map(compile)
  const [others, ...last] = rest.map(compile)
  const required = elements.filter((element) => !SchemaAST.isOptional(element)).length + last.length
  const at = (index: number, count: number): ValueCoder => {
    if (index < first.length) return first[index]!
    return index < count - last.length ? others! : last[index - count + last.length]!
  }
  const isUniform = first.length === 0 && last.length === 0 && others !== undefined
  return {
    write: (w, value) => {
      if (!Array.isArray(value)) throw unfit
      const count = others === undefined ? Math.min(value.length, first.length) : value.length
      if (count < required) throw unfit
      w.length(count)
      w.enter(count)
      if (isUniform) for (let i = 0; i < count; i++) others.write(w, value[i])
      else for (let i = 0; i < count; i++) at(i, count).write(w, value[i])
      w.leave()
    },
    read: (r) => {
      const count = r.length()
      if (count < required || (others === undefined && count > first.length))
        throw new Malformed(`an array has ${count} values`)
      r.enter(count)
      const values: Array<unknown> = []
      if (isUniform) for (let i = 0; i < count; i++) values.push(others.read(r))
      else for (let i = 0; i < count; i++) values.push(at(i, count).read(r))
      r.leave()
      return values
    }
  }
}

interface Field {
  readonly name: PropertyKey
  readonly isOptional: boolean
  readonly coder: ValueCoder
}

const fieldsOf = (ast: SchemaAST.Objects, compile: Compile): ReadonlyArray<Field> =>
  ast.propertySignatures
    .map(({ name, type }) => ({ name, isOptional: SchemaAST.isOptional(type), coder: compile(type) }))
    .toSorted((a, b) => (String(a.name) < String(b.name) ? -1 : 1))

const struct = (ast: SchemaAST.Objects, compile: Compile): ValueCoder => {
  const fields = fieldsOf(ast, compile)
  return {
    write: (w, value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw unfit
      w.enter(fields.length)
      // no value takes no byte
      if (fields.length === 0) w.byte(0)
      for (const field of fields) writeField(w, field, value as Record<PropertyKey, unknown>)
      w.leave()
    },
    read: (r) => {
      r.enter(fields.length)
      if (fields.length === 0) readIndex(r, 1)
      const object: Record<PropertyKey, unknown> = {}
      for (const field of fields) readField(r, field, object)
      r.leave()
      return object
    }
  }
}

const writeField = (w: ByteWriter, { coder, isOptional, name }: Field, from: Record<PropertyKey, unknown>): void => {
  if (isOptional || name === "__proto__") {
    const isThere = name === "__proto__" ? Object.hasOwn(from, name) : name in from
    if (isOptional) w.byte(isThere ? 1 : 0)
    if (!isThere) {
      if (isOptional) return
      throw unfit
    }
  }
  const value = from[name]
  if (value === undefined && !(name in from)) throw unfit
  coder.write(w, value)
}

const readField = (r: ByteReader, { coder, isOptional, name }: Field, into: Record<PropertyKey, unknown>): void => {
  if (isOptional && readIndex(r, 2) === 0) return
  if (name === "__proto__") assign(into, name, coder.read(r))
  else into[name] = coder.read(r)
}

/** An object whose keys are data, beside those that its schema names. */
const record = (ast: SchemaAST.Objects, compile: Compile): ValueCoder => {
  const fields = fieldsOf(ast, compile)
  const named = new Set(fields.map(({ name }) => name))
  const [first, ...others] = ast.indexSignatures
  // which signature a key is of is known where there is one; else the values say themselves what they are
  const values = others.length === 0 ? compile(first!.type) : data
  const keysOf = hasSymbols(first!.parameter) || others.length > 0 ? ownKeys : Object.keys
  return {
    write: (w, value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw unfit
      const object = value as Record<PropertyKey, unknown>
      let keys: ReadonlyArray<string | symbol> = keysOf(object)
      if (named.size > 0) keys = keys.filter((key) => !named.has(key))
      w.length(keys.length)
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

/** The index of a member, and its value where the index does not say all. */
const union = ({ count, literals, memberOf, types }: Members, compile: Compile): ValueCoder => {
  const values = [...literals.keys()]
  let coders: ReadonlyArray<ValueCoder> | undefined
  // members may be suspended schemas that are being compiled
  const all = () => (coders ??= types.map(compile))
  return {
    write: (w, value) => {
      const literal = literals.get(value)
      if (literal !== undefined) return w.length(literal)
      const member = memberOf(value)
      if (member < 0) throw unfit
      w.length(values.length + member)
      all()[member]!.write(w, value)
    },
    read: (r) => {
      const index = readIndex(r, count)
      return index < values.length ? values[index] : all()[index - values.length]!.read(r)
    }
  }
}
