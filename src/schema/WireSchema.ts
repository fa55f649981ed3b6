/**
 * The schema of a value as it is encoded: every part without a known layout gets its own JSON codec.
 *
 * Does the same as `Schema.toCodecJson`, except for numbers, BigInts, undefined, symbols, dates and bytes: a layout
 * encodes these directly, at a fraction of the cost of their text.
 */
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { linkOf, natives, representationOf } from "./SchemaLayout.ts"
import { membersOf } from "./UnionMembers.ts"

const wires = new WeakMap<SchemaAST.AST, SchemaAST.AST>()

/** A schema with the same type, encoded to parts that have a layout. Throws where a part has no codec at all. */
export const wireOf = (ast: SchemaAST.AST): SchemaAST.AST => {
  let wire = wires.get(ast)
  if (wire === undefined) {
    // A recursive schema is met again before it is complete.
    wires.set(ast, new SchemaAST.Suspend(() => wires.get(ast)!, undefined, undefined, undefined, ast.context))
    wire = ast.encoding === undefined ? derive(ast) : withLastLink(ast, ast.encoding, wireOf)
    wires.set(ast, wire)
    wires.set(wire, wire)
  }
  return wire
}

const derive = (ast: SchemaAST.AST): SchemaAST.AST => {
  switch (ast._tag) {
    case "Declaration": {
      if (natives.has(representationOf(ast)?.id)) return ast
      const link = linkOf(ast)
      if (link === undefined) throw new Error(`${nameOf(ast)} has no codec`)
      const encoded = new SchemaAST.Link(bounded(ast, wireOf(link.to)), link.transformation)
      const wire = encodedBy(ast, encoded)
      if (scalars.has(representationOf(ast)?.id)) prompt.add(wire)
      return wire
    }
    case "Objects": {
      const { annotations, checks, context, encodingChecks, indexSignatures, propertySignatures } = ast
      return new SchemaAST.Objects(
        propertySignatures.map(({ name, type }) => new SchemaAST.PropertySignature(name, wireOf(type))),
        indexSignatures.map(({ parameter, type }) => new SchemaAST.IndexSignature(parameter, wireOf(type))),
        annotations,
        checks,
        undefined,
        context,
        encodingChecks
      )
    }
    case "Arrays": {
      const { annotations, checks, context, elements, encodingChecks, isMutable, rest } = ast
      const [all, others] = [elements.map(wireOf), rest.map(wireOf)]
      return new SchemaAST.Arrays(isMutable, all, others, annotations, checks, undefined, context, encodingChecks)
    }
    case "Union": {
      const { annotations, checks, context, encodingChecks, options, types } = ast
      const wires = types.map(wireOf)
      // The parts of a suspended member are known without its wire schema, which may be the one that is being made.
      const encoded = types.map((type, i) => SchemaAST.toEncoded(type._tag === "Suspend" ? resolved(type) : wires[i]!))
      const members = membersOf(new SchemaAST.Union(encoded, options)) === undefined ? wires.map(tagged) : wires
      return new SchemaAST.Union(members, options, annotations, checks, undefined, context, encodingChecks)
    }
    case "Suspend":
      return new SchemaAST.Suspend(() => wireOf(ast.thunk()), ast.annotations, ast.checks, undefined, ast.context)
    default:
      return ast
  }
}

/**
 * A member of a union whose members look alike when they are encoded: it travels with its index. By its encoding alone the
 * receiver could take the value for one of another member.
 */
const tagged = (member: SchemaAST.AST, index: number): SchemaAST.AST =>
  SchemaAST.decodeTo(
    new SchemaAST.Arrays(false, [new SchemaAST.Literal(index), member], []),
    SchemaAST.toType(member),
    SchemaTransformation.transform<unknown, readonly [number, unknown]>({
      decode: ([, value]) => value,
      encode: (value) => [index, value]
    })
  )

const resolved = (ast: SchemaAST.AST): SchemaAST.AST => {
  let inner = ast
  while (inner._tag === "Suspend") inner = inner.thunk()
  return inner
}

/** A copy of a node. Uses the prototype, because the constructors of nodes take their fields in different orders. */
const changed = <A extends SchemaAST.AST>(ast: A, changes: Partial<SchemaAST.AST>): A =>
  Object.assign(Object.create(Object.getPrototypeOf(ast)), ast, changes) as A

const withLastLink = (
  ast: SchemaAST.AST,
  links: SchemaAST.Encoding,
  f: (ast: SchemaAST.AST) => SchemaAST.AST
): SchemaAST.AST => {
  const last = links.at(-1)!
  const to = bounded(ast, f(last.to))
  if (to === last.to) return ast
  const encoding = [...links.slice(0, -1), new SchemaAST.Link(to, last.transformation)]
  return changed(ast, { encoding: encoding as unknown as SchemaAST.Encoding })
}

const prompt = new WeakSet<SchemaAST.AST>()

/** Whether a node has a codec of Effect's own that never waits, although its transformations look as if they could. */
export const isPrompt = (wire: SchemaAST.AST): boolean => prompt.has(wire)

/** A node encoded by a link. A key that is optional here is so on the wire. */
const encodedBy = (ast: SchemaAST.AST, { to, transformation }: SchemaAST.Link): SchemaAST.AST => {
  const { context } = ast
  const kept = context && new SchemaAST.Context(context.isOptional, context.isMutable, undefined, context.annotations)
  const link = new SchemaAST.Link(kept === undefined ? to : changed(to, { context: kept }), transformation)
  return changed(ast, { encoding: [link] })
}

const nameOf = (ast: SchemaAST.AST): string => {
  const { expected, identifier } = ast.annotations ?? {}
  const name = identifier ?? expected
  return typeof name === "string" ? name : "a declaration"
}

/** Text of numbers without bound, and of time zones. */
const scalars: ReadonlySet<string | undefined> = new Set([
  "effect/schema/BigDecimal",
  "effect/schema/Duration",
  "effect/schema/DateTimeUtc",
  "effect/schema/DateTimeZoned",
  "effect/schema/TimeZone",
  "effect/schema/TimeZoneNamed",
  "effect/schema/TimeZoneOffset"
])

/** Characters of the longest text that becomes one number: parsing takes time by the square of its length. */
export const maxDigits = 4 * 1024

/** Text, where it is read as a number or a time: only as long as that takes no time worth mentioning. */
const bounded = (ast: SchemaAST.AST, to: SchemaAST.AST): SchemaAST.AST => {
  const isNumber = ast._tag === "BigInt" || (ast._tag === "Declaration" && scalars.has(representationOf(ast)?.id))
  if (!isNumber || to._tag !== "String" || to.encoding !== undefined) return to
  return changed(to, { checks: [scalar, ...(to.checks ?? [])] as unknown as SchemaAST.Checks })
}

const maxZones = 1_000
const zones = new Set<string>()

/**
 * Whether text may become a number or a time. Effect keeps each spelling of a time zone for ever, and there are as many
 * as there are ways to write its letters large or small: a process takes the first thousand, and IANA has six hundred.
 */
const isScalar = (text: string): boolean => {
  if (text.length > maxDigits) return false
  // By `lastIndexOf`: a regular expression would try each of thousands of brackets.
  const zone = text.endsWith("]")
    ? text.slice(text.lastIndexOf("[") + 1, -1)
    : /^[A-Za-z]/.test(text)
      ? text
      : undefined
  if (zone === undefined || zones.has(zone)) return true
  if (zone.length > 64 || zones.size >= maxZones) return false
  zones.add(zone)
  return true
}

const scalar = new SchemaAST.Filter<string>(
  (text, self, options) => (isScalar(text) ? undefined : new SchemaIssue.InvalidType(self, text, options)),
  { expected: `text of at most ${maxDigits} characters, with a time zone that IANA has` }
)
