/**
 * The schema of a value as it is encoded: every part without a known layout gets its own JSON codec.
 *
 * Does the same as `Schema.toCodecJson`, except for numbers, BigInts, undefined, symbols, dates and bytes: a layout
 * encodes these directly, at a fraction of the cost of their text.
 */
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { hasParts, linkOf, natives, representationOf } from "./SchemaLayout.ts"
import { spendHashed, spendNative, spendUnique } from "./bound/HashWork.ts"
import { KeptNames } from "./bound/KeptNames.ts"
import { partsText, textOf } from "./bound/TemplateText.ts"
import { isEncoding, spendWork } from "./bound/ValueWork.ts"
import { hasTakenLiteral, membersOf } from "./UnionMembers.ts"

const wires = new WeakMap<SchemaAST.AST, SchemaAST.AST>()

/** A schema with the same type, encoded to parts that have a layout. Throws if a part has no codec at all. */
export const wireOf = (ast: SchemaAST.AST): SchemaAST.AST => {
  let wire = wires.get(ast)
  if (wire === undefined) {
    // A recursive schema is met again before it is complete.
    wires.set(ast, new SchemaAST.Suspend(() => wires.get(ast)!, undefined, undefined, undefined, ast.context))
    const node = withUnique(withText(ast))
    wire = node.encoding === undefined ? derive(node) : withLastLink(node, node.encoding, wireOf)
    wires.set(ast, wire)
    wires.set(wire, wire)
  }
  return wire
}

const derive = (ast: SchemaAST.AST): SchemaAST.AST => {
  switch (ast._tag) {
    case "Declaration": {
      if (natives.has(representationOf(ast)?.id)) return ast
      const spend = collections[representationOf(ast)?.id ?? ""]
      if (spend !== undefined) return collection(ast, spend)
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
        indexSignatures.map(({ parameter, type }) => new SchemaAST.IndexSignature(keyOf(parameter), wireOf(type))),
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
      const isAlike = membersOf(new SchemaAST.Union(encoded, options)) === undefined || hasTakenLiteral(wires)
      const members = isAlike ? wires.map(tagged) : wires
      return new SchemaAST.Union(members, options, annotations, checks, undefined, context, encodingChecks)
    }
    case "Suspend":
      return new SchemaAST.Suspend(() => wireOf(ast.thunk()), ast.annotations, ast.checks, undefined, ast.context)
    default:
      return ast
  }
}

type Spend = (collection: never) => void

/** Declarations that are built by the hashes of their parts, with the count of the cost of building one. */
const collections: Readonly<Record<string, Spend | undefined>> = {
  "effect/schema/HashMap": (entries: ReadonlyArray<readonly [unknown, unknown]>) => spendHashed(keysOf(entries)),
  "effect/schema/HashSet": spendHashed,
  "effect/schema/ReadonlyMap": (entries: ReadonlyArray<readonly [unknown, unknown]>) => spendNative(keysOf(entries)),
  "effect/schema/ReadonlySet": spendNative,
  "effect/schema/Graph": ({
    edges,
    nodes
  }: Readonly<Record<"edges" | "nodes", ReadonlyArray<{ readonly index: number }>>>) => {
    for (const parts of [edges, nodes]) spendNative(parts.map(({ index }) => index))
  }
}

const keysOf = (entries: ReadonlyArray<readonly [unknown, unknown]>) => entries.map(([key]) => key)

/**
 * A collection whose parts are decoded before the collection is built: what building costs depends on the decoded parts.
 * Effect's own codec builds a collection of encoded parts first, and counts neither.
 */
const collection = (ast: SchemaAST.Declaration, spend: Spend): SchemaAST.AST => {
  const parts = ast.typeParameters.map(wireOf)
  const link = linkOf(ast, parts)!
  const to = wireOf(link.to)
  const bounded = changed(to, { checks: [spending(spend), ...(to.checks ?? [])] as unknown as SchemaAST.Checks })
  const typed = changed(ast, { typeParameters: parts.map(SchemaAST.toType) })
  return encodedBy(typed, new SchemaAST.Link(bounded, link.transformation))
}

/** A check that passes, or throws a `LimitError`. */
const spending = (spend: Spend): SchemaAST.Filter<never> =>
  new SchemaAST.Filter<never>(
    (value) => {
      spend(value)
      return undefined
    },
    undefined,
    true
  )

const uniques: Readonly<Record<string, Spend | undefined>> = {
  "effect/schema/isUnique": spendUnique,
  "effect/schema/isUniqueKey": (entries: ReadonlyArray<readonly [unknown, unknown]>) => spendUnique(keysOf(entries))
}

/** A node whose values are counted before they are checked to be unique. */
const withUnique = (ast: SchemaAST.AST): SchemaAST.AST => {
  const found = ast.checks?.flatMap(spendsOf) ?? []
  return found.length === 0
    ? ast
    : changed(ast, { checks: [...found.map(spending), ...ast.checks!] as unknown as SchemaAST.Checks })
}

const spendsOf = (check: SchemaAST.Check<never>): ReadonlyArray<Spend> => {
  if (check._tag === "FilterGroup") return check.checks.flatMap(spendsOf)
  const spend = uniques[representationOf(check)?.id ?? ""]
  return spend === undefined ? [] : [spend]
}

/** A template as text that is bounded before it is matched; any other node as it is. */
const withText = (ast: SchemaAST.AST): SchemaAST.AST => (ast._tag === "TemplateLiteral" ? textOf(ast) : ast)

/** The keys of a record, which are text, numbers, symbols, templates, or a union of these. */
const keyOf = (ast: SchemaAST.AST): SchemaAST.AST => {
  if (ast._tag !== "Union") return withText(ast)
  const { annotations, checks, context, encoding, encodingChecks, options, types } = ast
  return new SchemaAST.Union(types.map(keyOf), options, annotations, checks, encoding, context, encodingChecks)
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
  const to = bounded(ast, counted(links.at(-2)?.to ?? ast, f(last.to)))
  const others = links.slice(0, -1).map((link) => {
    const text = withText(link.to)
    return text === link.to ? link : new SchemaAST.Link(text, link.transformation)
  })
  if (to === last.to && others.every((link, i) => link === links[i])) return ast
  const encoding = [...others, new SchemaAST.Link(to, last.transformation)]
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

/** Text of numbers without bound, of versions, and of time zones. */
const scalars: ReadonlySet<string | undefined> = new Set([
  "effect/schema/BigDecimal",
  "effect/schema/Duration",
  "effect/schema/DateTimeUtc",
  "effect/schema/DateTimeZoned",
  "effect/schema/TimeZone",
  "effect/schema/TimeZoneNamed",
  "effect/schema/TimeZoneOffset",
  "effect/schema/ByteSize",
  "effect/schema/SemVer",
  "effect/schema/SemVerRange"
])

/** Characters of the longest text that becomes one number: parsing takes time by the square of its length. */
export const maxDigits = 4 * 1024

/** Text that is read as a number or a time: limited to a length that is read in negligible time. */
const bounded = (ast: SchemaAST.AST, to: SchemaAST.AST): SchemaAST.AST => {
  const id = ast._tag === "Declaration" ? representationOf(ast)?.id : undefined
  const isNumber = ast._tag === "BigInt" || scalars.has(id)
  if (!isNumber || to._tag !== "String" || to.encoding !== undefined) return to
  const check = zoned.has(id) ? zonedText : id === "effect/schema/SemVerRange" ? rangeText : scalarText
  return changed(to, { checks: [check, ...(to.checks ?? [])] as unknown as SchemaAST.Checks })
}

/** Text from which a value with parts is parsed, with a count of the parts. */
const counted = (parsed: SchemaAST.AST, to: SchemaAST.AST): SchemaAST.AST =>
  to._tag === "String" && to.encoding === undefined && hasParts(parsed)
    ? changed(to, { checks: [partsText, ...(to.checks ?? [])] as unknown as SchemaAST.Checks })
    : to

const zoned: ReadonlySet<string | undefined> = new Set([
  "effect/schema/DateTimeZoned",
  "effect/schema/TimeZone",
  "effect/schema/TimeZoneNamed"
])

const maxZones = 1_000
const zones = new KeptNames(maxZones)

/** Steps of work that it takes to look for a time zone that is not known yet. */
const zoneWork = 4_000

/**
 * Whether the time zone of text may be looked for. Effect keeps each spelling of a time zone for ever, and each letter of a
 * name may be large or small. So a process takes only the first thousand spellings: IANA has six hundred time zones.
 */
const hasZone = (text: string): boolean => {
  // By `lastIndexOf`: a regular expression would try each of thousands of brackets.
  const zone = text.endsWith("]")
    ? text.slice(text.lastIndexOf("[") + 1, -1)
    : /^[A-Za-z]/.test(text)
      ? text
      : undefined
  if (zone === undefined || zones.has(zone)) return true
  if (zone.length > 64) return false
  if (isEncoding()) {
    zones.own(zone)
    return true
  }
  spendWork(zoneWork, "has more time zones than its maxValue allows to look for")
  return isZone(zone) && zones.take(zone)
}

/** Whether IANA has a time zone, without keeping its name. */
const isZone = (zone: string): boolean => {
  try {
    return Intl.DateTimeFormat("en-US", { timeZone: zone }).resolvedOptions().timeZone !== ""
  } catch {
    return false
  }
}

const textThat = (expected: string, fits: (text: string) => boolean): SchemaAST.Filter<string> =>
  new SchemaAST.Filter<string>(
    (text, self, options) => (fits(text) ? undefined : new SchemaIssue.InvalidType(self, text, options)),
    { expected: `text of at most ${maxDigits} characters${expected}` }
  )

const scalarText = textThat("", (text) => text.length <= maxDigits)
/** Text of a range, in which each few characters may be a comparator. */
const rangeText = textThat("", (text) => {
  if (text.length > maxDigits) return false
  spendWork(text.length, "has ranges of versions that take too long to read for its maxValue")
  return true
})
const zonedText = textThat(", with a time zone that IANA has", (text) => text.length <= maxDigits && hasZone(text))
