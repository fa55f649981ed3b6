/** How the members of a union are told apart: by the type of a value, by a literal, or by a field that is one. */
import * as DateTime from "effect/DateTime"
import * as SchemaAST from "effect/SchemaAST"
import { representationOf } from "./SchemaLayout.ts"

export interface Members {
  /** Values that are members themselves, with their indexes. */
  readonly literals: ReadonlyMap<unknown, number>
  /** All other members. */
  readonly types: ReadonlyArray<SchemaAST.AST>
  /** The index in `types` of the only member that a value can belong to. -1 if there is none. */
  readonly memberOf: (value: unknown) => number
  /** How many literals and types there are. */
  readonly count: number
}

/** Whether a value may fit several members. */
export const isAmbiguous = (ast: SchemaAST.Union): boolean => membersOf(ast) === undefined

const known = new WeakMap<SchemaAST.Union, { readonly members: Members | undefined }>()

/** The members of an encoded union. Undefined if a value may fit several. */
export const membersOf = (ast: SchemaAST.Union): Members | undefined => {
  let found = known.get(ast)
  if (found === undefined) known.set(ast, (found = { members: sort(ast) }))
  return found.members
}

type Kind = "string" | "number" | "boolean" | "bigint" | "symbol" | "array" | "object" | "bytes" | "date" | "utc"

const kindOf = (value: unknown): Kind | undefined => {
  if (typeof value !== "object") return typeof value as Kind
  if (value === null) return undefined
  if (Array.isArray(value)) return "array"
  if (value instanceof Uint8Array) return "bytes"
  if (value instanceof Date) return "date"
  return DateTime.isDateTime(value) && DateTime.isUtc(value) ? "utc" : "object"
}

const sort = (ast: SchemaAST.Union): Members | undefined => {
  const flat: Array<SchemaAST.AST> = []
  if (!flatten(ast, flat, new Set())) return undefined
  const literals = new Map<unknown, number>()
  const types: Array<SchemaAST.AST> = []
  const byKind = new Map<Kind, Array<number>>()
  for (const member of flat) {
    const values = valuesOf(member)
    if (values !== undefined) {
      for (const value of values) if (!literals.has(value)) literals.set(value, literals.size)
      continue
    }
    const kind = kindOfType(member)
    if (kind === undefined) return undefined
    byKind.set(kind, [...(byKind.get(kind) ?? []), types.length])
    types.push(member)
  }
  let byTag: Discriminator | undefined
  let byIndex: ReadonlyMap<unknown, number> | undefined
  for (const [kind, indexes] of byKind) {
    if (indexes.length === 1) continue
    if (kind === "array") byIndex = firstOf(indexes, types)
    if (kind === "object") byTag = discriminatorOf(indexes, types)
    if ((kind === "array" ? byIndex : kind === "object" ? byTag : undefined) === undefined) return undefined
  }
  const memberOf = (value: unknown): number => {
    const kind = kindOf(value)
    if (kind === "object" && byTag !== undefined) {
      return byTag.indexes.get((value as Record<PropertyKey, unknown>)[byTag.key]) ?? -1
    }
    if (kind === "array" && byIndex !== undefined) return byIndex.get((value as ReadonlyArray<unknown>)[0]) ?? -1
    return (kind === undefined ? undefined : byKind.get(kind)?.[0]) ?? -1
  }
  return { literals, types, memberOf, count: literals.size + types.length }
}

/** The members of a union, with nested unions flattened. False if the union has rules of its own. */
const flatten = (ast: SchemaAST.AST, into: Array<SchemaAST.AST>, seen: Set<SchemaAST.AST>): boolean => {
  const union = resolve(ast)
  if (union._tag !== "Union") {
    if (union._tag !== "Never") into.push(union)
    return true
  }
  if (seen.has(union)) return true
  const isFirst = seen.size === 0
  seen.add(union)
  // The compiler of the union handles the checks of the union itself.
  if (union.options?.mode === "oneOf" || (!isFirst && union.checks !== undefined)) return false
  return union.types.every((type) => flatten(type, into, seen))
}

const resolve = (ast: SchemaAST.AST): SchemaAST.AST => {
  let resolved = ast
  while (resolved._tag === "Suspend") resolved = resolved.thunk()
  return resolved
}

/** The values of a member that has a fixed set of them, without checks. */
const valuesOf = (ast: SchemaAST.AST): ReadonlyArray<unknown> | undefined => {
  if (ast.checks !== undefined) return undefined
  switch (ast._tag) {
    case "Null":
      return [null]
    case "Undefined":
    case "Void":
      return [undefined]
    case "Literal":
      return [ast.literal]
    case "UniqueSymbol":
      return [ast.symbol]
    case "Enum":
      return ast.enums.map(([, value]) => value)
    default:
      return undefined
  }
}

const kinds: Readonly<Record<string, Kind | undefined>> = {
  "effect/schema/Uint8Array": "bytes",
  "effect/schema/Date": "date",
  "effect/schema/DateTimeUtc": "utc"
}

const kindOfType = (ast: SchemaAST.AST): Kind | undefined => {
  switch (ast._tag) {
    case "String":
    case "TemplateLiteral":
      return "string"
    case "Number":
      return "number"
    case "Boolean":
      return "boolean"
    case "BigInt":
      return "bigint"
    case "Symbol":
      return "symbol"
    case "Arrays":
      return "array"
    case "Objects":
      // Without fields the schema accepts any value except null.
      return ast.propertySignatures.length + ast.indexSignatures.length === 0 ? undefined : "object"
    case "Declaration":
      return kinds[representationOf(ast)?.id ?? ""]
    default:
      return undefined
  }
}

interface Discriminator {
  readonly key: PropertyKey
  readonly indexes: ReadonlyMap<unknown, number>
}

/** The members by the first element of a tuple, where that is a literal of its own in each of them. */
const firstOf = (
  indexes: ReadonlyArray<number>,
  types: ReadonlyArray<SchemaAST.AST>
): ReadonlyMap<unknown, number> | undefined => {
  const byValue = new Map<unknown, number>()
  let all = 0
  for (const index of indexes) {
    const [first] = (types[index] as SchemaAST.Arrays).elements
    const values = first === undefined || SchemaAST.isOptional(first) ? undefined : valuesOf(first)
    if (values === undefined) return undefined
    for (const value of values) byValue.set(value, index)
    all += values.length
  }
  return byValue.size === all ? byValue : undefined
}

/** A field that is a literal of its own in each member. */
const discriminatorOf = (
  indexes: ReadonlyArray<number>,
  types: ReadonlyArray<SchemaAST.AST>
): Discriminator | undefined => {
  const [first] = indexes
  for (const { name } of (types[first!] as SchemaAST.Objects).propertySignatures) {
    const byValue = new Map<unknown, number>()
    let all = 0
    for (const index of indexes) {
      const field = (types[index] as SchemaAST.Objects).propertySignatures.find((field) => field.name === name)
      const values = field === undefined || SchemaAST.isOptional(field.type) ? [] : (valuesOf(field.type) ?? [])
      if (values.length === 0) break
      for (const value of values) byValue.set(value, index)
      all += values.length
      if (index === indexes.at(-1) && byValue.size === all) return { key: name, indexes: byValue }
    }
  }
  return undefined
}

/**
 * Whether a member that is transformed, such as a number from text, could take the literal of another member on its way
 * back. The encoded members can be told apart, but Schema decodes by the first member that takes the value.
 */
export const hasTakenLiteral = (wires: ReadonlyArray<SchemaAST.AST>): boolean => {
  const members = wires.flatMap(flatMembers)
  const transformed = new Set(members.filter(({ encoding }) => encoding).map((ast) => SchemaAST.toEncoded(ast)._tag))
  return members.some((ast) => ast.encoding === undefined && literalTags(ast).some((tag) => transformed.has(tag)))
}

const flatMembers = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> =>
  ast._tag === "Union" && ast.encoding === undefined ? ast.types.flatMap(flatMembers) : [ast]

const literalTypes = { string: "String", number: "Number", boolean: "Boolean", bigint: "BigInt" } as const

/** The tags of the types of a member's literals. */
const literalTags = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST["_tag"]> => {
  const literals =
    ast._tag === "Literal" ? [ast.literal] : ast._tag === "Enum" ? ast.enums.map(([, value]) => value) : []
  return literals.map((literal) => literalTypes[typeof literal as keyof typeof literalTypes])
}
