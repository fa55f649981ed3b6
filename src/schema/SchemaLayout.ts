/**
 * The layout of a schema: two processes whose layouts agree can read each other's values.
 *
 * A layout is made of the names, types, checks with their parameters and class identifiers of a schema, never of code. So
 * source, build and minified build have the same layout. A transformation counts by its encoded side alone.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** Number of the wire format: two processes that write values differently have different layouts. */
const codecVersion = 3

/** A short hash of a schema's layout, the same in every process that has the schema. */
export const fingerprint = (schema: Schema.Top): string => hash(`${codecVersion}:${describe(schema)}`).slice(0, 10)

/**
 * A schema's layout for people, such as `{id: Number & isInt, text?: String}`. A layout of more than 200 characters is cut,
 * and a hash of the whole layout follows.
 */
export const describe = (schema: Schema.Top): string => new Describer().describe(schema.ast)

/** Describes nodes of schemas for people. Nodes that several schemas share are described once. */
export const describer = (): ((ast: SchemaAST.AST) => string) => {
  const all = new Describer()
  return (ast) => all.describe(ast)
}

/**
 * Why a schema cannot be sent, with the path. Either a part of the schema has no type, so that no codec could carry its
 * values faithfully, or its type does not declare an encoding.
 */
export const refusal = (schema: Schema.Top, at = ""): string | undefined => {
  const found = search(schema.ast, at, new Set())
  return found && `${found.path.replace(/^\./, "")} is ${found.why}`.trimStart()
}

/** Whether a schema is `Schema.Uint8Array` itself, maybe with checks. */
export const isBytes = (ast: SchemaAST.AST): boolean =>
  ast._tag === "Declaration" && ast.encoding === undefined && representationOf(ast)?.id === "effect/schema/Uint8Array"

/** The parts of a schema, each with its step in a path. The encoded side is not among them. */
export function* children(ast: SchemaAST.AST): Generator<readonly [step: string, child: SchemaAST.AST]> {
  switch (ast._tag) {
    case "Objects":
      for (const { name, type } of ast.propertySignatures) yield [`.${String(name)}`, type]
      for (const { type } of ast.indexSignatures) yield ["[*]", type]
      return
    case "Arrays":
      for (const [index, element] of ast.elements.entries()) yield [`[${index}]`, element]
      for (const element of ast.rest) yield ["[]", element]
      return
    case "Union":
      for (const type of ast.types) yield ["", type]
      return
    case "Suspend":
      return yield ["", ast.thunk()]
    case "Declaration":
      for (const parameter of ast.typeParameters) yield ["", parameter]
      return
    default:
      return
  }
}

const untyped = { Unknown: "Schema.Unknown", Any: "Schema.Any", ObjectKeyword: "Schema.ObjectKeyword" } as const

interface Refused {
  /** Such as `payload.items[].meta`. */
  readonly path: string
  readonly why: string
}

const search = (ast: SchemaAST.AST, path: string, seen: Set<SchemaAST.AST>): Refused | undefined => {
  if (seen.has(ast)) return undefined
  seen.add(ast)
  // A value that is encoded to Json is refused at run time if it does not fit, such as by Schema.Defect.
  const last = ast.encoding?.at(-1)
  if (last !== undefined && isJson(last.to)) return undefined
  if (ast._tag in untyped) {
    const why = `${untyped[ast._tag as keyof typeof untyped]}, whose values could change silently on their way: use Schema.Json or a real schema`
    return { path, why }
  }
  for (const [step, child] of reachable(ast)) {
    const found = search(child, path + step, seen)
    if (found !== undefined) return found
  }
  if (ast._tag === "Declaration" && ast.encoding === undefined && !natives.has(representationOf(ast)?.id)) {
    const link = linkOf(ast)
    const encoded = link === undefined ? undefined : search(link.to, path, seen)
    if (link === undefined || encoded !== undefined) {
      const { expected, identifier } = ast.annotations ?? {}
      const name =
        typeof identifier === "string" ? identifier : typeof expected === "string" ? expected : "a declaration"
      return { path, why: `${name}, which has no codec: give it one by the annotation toCodec` }
    }
  }
  for (const link of ast.encoding ?? []) {
    const found = search(link.to, path, seen)
    if (found !== undefined) return found
  }
  return undefined
}

// A suspended schema may not exist yet when its function is declared. The first use searches again.
const reachable = (ast: SchemaAST.AST): Iterable<readonly [string, SchemaAST.AST]> => {
  if (ast._tag !== "Suspend") return children(ast)
  try {
    return [["", ast.thunk()]]
  } catch {
    return []
  }
}

interface Representation {
  readonly id: string
  readonly payload?: unknown
}

export const representationOf = (ast: {
  readonly annotations?: { readonly representation?: unknown } | undefined
}): Representation | undefined => ast.annotations?.representation as Representation | undefined

/** Declarations that a layout contains unchanged. */
export const natives: ReadonlySet<string | undefined> = new Set([
  "effect/schema/Uint8Array",
  "effect/schema/Date",
  "effect/schema/DateTimeUtc",
  "effect/schema/Json",
  "effect/schema/MutableJson"
])

/**
 * The link by which a declaration encodes itself, with its parts encoded as `parts` says. Undefined if the declaration has none.
 */
export const linkOf = (
  ast: SchemaAST.Declaration,
  parts: ReadonlyArray<SchemaAST.AST> = ast.typeParameters.map(SchemaAST.toEncoded)
): SchemaAST.Link | undefined => {
  const { toCodec, toCodecJson } = (ast.annotations ?? {}) as Record<string, unknown>
  const parameters = parts.map((part) => Schema.make(part))
  for (const make of [toCodecJson, toCodec]) {
    const link = typeof make === "function" ? (make(parameters) as SchemaAST.Link | undefined) : undefined
    if (link !== undefined) return link
  }
  return undefined
}

const isJson = (ast: SchemaAST.AST): boolean => {
  const id = ast._tag === "Declaration" ? representationOf(ast)?.id : undefined
  return id === "effect/schema/Json" || id === "effect/schema/MutableJson"
}

const withParts: ReadonlySet<string> = new Set(["Objects", "Arrays", "Union", "Suspend", "Unknown", "Any"])

/** Whether the values of a node have parts, or may have any: a class and a generic declaration have, a URL has none. */
export const hasParts = (ast: SchemaAST.AST): boolean => {
  if (ast._tag === "Declaration") return ast.typeParameters.length > 0 || isJson(ast)
  return withParts.has(ast._tag)
}

const maxLength = 200

/** Describes one schema. A schema that refers to itself gets a number, in the order in which such schemas are met. */
class Describer {
  private readonly known = new Map<SchemaAST.AST, string>()
  private readonly open = new Set<SchemaAST.AST>()
  private readonly recursive = new Map<SchemaAST.AST, number>()

  describe(ast: SchemaAST.AST): string {
    const known = this.known.get(ast)
    if (known !== undefined) return known
    this.open.add(ast)
    const text = cut(this.encoded(ast, this.checked(ast, this.type(ast))))
    this.open.delete(ast)
    this.known.set(ast, text)
    return text
  }

  private encoded(ast: SchemaAST.AST, type: string): string {
    // A class names by its parameter the schema that it is encoded to.
    const said = ast._tag === "Declaration" ? ast.typeParameters.map((parameter) => this.describe(parameter)) : []
    const links = (ast.encoding ?? []).map(({ to }) => this.describe(to)).filter((text) => !said.includes(text))
    return [type, ...links].join(" as ")
  }

  private checked(ast: SchemaAST.AST, type: string): string {
    const own = ast.checks ?? []
    const encoding = "encodingChecks" in ast ? (ast.encodingChecks ?? []) : []
    return [type, ...own.map(check), ...encoding.map(check)].join(" & ")
  }

  private type(ast: SchemaAST.AST): string {
    switch (ast._tag) {
      case "Objects": {
        // fields travel in the order of their names, whatever the order of their declaration
        const fields = ast.propertySignatures.map(
          ({ name, type }) => `${nameOf(name)}${optional(type)}: ${this.describe(type)}`
        )
        const rest = ast.indexSignatures.map(
          ({ parameter, type }) => `[${this.describe(parameter)}]: ${this.describe(type)}`
        )
        return `{${[...fields.toSorted(), ...rest].join(", ")}}`
      }
      case "Arrays": {
        const elements = ast.elements.map((element) => `${this.describe(element)}${optional(element)}`)
        const rest = ast.rest.map((element, index) => `${index === 0 ? "..." : ""}${this.describe(element)}`)
        return `[${[...elements, ...rest].join(", ")}]`
      }
      case "Union": {
        const types = ast.types.map((type) => this.describe(type))
        return `(${types.join(ast.options?.mode === "oneOf" ? " ^ " : " | ")})`
      }
      case "Suspend":
        return this.suspended(ast.thunk())
      case "Declaration": {
        const { expected, identifier } = ast.annotations ?? {}
        const name = identifier ?? shortId(ast) ?? expected
        const parameters = [
          ...ast.typeParameters.map((type) => this.describe(type)),
          json(representationOf(ast)?.payload)
        ]
        const text = parameters.filter((parameter) => parameter !== "").join(", ")
        return `${typeof name === "string" ? name : "Declaration"}${text === "" ? "" : `<${text}>`}`
      }
      case "Literal":
        return typeof ast.literal === "bigint" ? `${ast.literal}n` : JSON.stringify(ast.literal)
      case "UniqueSymbol":
        return String(ast.symbol)
      case "Enum":
        return `Enum<${json(ast.enums)}>`
      case "TemplateLiteral":
        return `Template<${ast.parts.map((part) => this.describe(part)).join(", ")}>`
      default:
        return ast._tag
    }
  }

  private suspended(ast: SchemaAST.AST): string {
    const number = this.recursive.get(ast)
    if (number !== undefined) return `#${number}`
    const own = this.recursive.size + 1
    this.recursive.set(ast, own)
    return this.open.has(ast) ? `#${own}` : this.describe(ast)
  }
}

const optional = (ast: SchemaAST.AST): string => {
  const inner = ast.encoding?.at(-1)?.to.context?.isOptional
  const outer = ast.context?.isOptional === true
  // A default makes a key that is required here optional on the wire.
  return inner === undefined || inner === outer ? (outer ? "?" : "") : outer ? "?!" : "!?"
}

const shortId = (ast: Parameters<typeof representationOf>[0]): string | undefined =>
  representationOf(ast)?.id.replace(/^effect\/schema\//, "")

const check = (check: SchemaAST.Check<never>): string => {
  const id = shortId(check)
  if (id !== undefined) return `${id}${json(representationOf(check)?.payload)}`
  if (check._tag === "FilterGroup") return `(${check.checks.map(nested).join(" & ")})`
  const { expected, identifier, title } = check.annotations ?? {}
  return identifier ?? title ?? expected ?? "check"
}
const nested = (inner: SchemaAST.Check<never>): string => check(inner)

const nameOf = (name: PropertyKey): string =>
  typeof name === "symbol" ? String(name) : /^\w+$/.test(String(name)) ? String(name) : JSON.stringify(name)

/** JSON of a value; an empty text for null and undefined. */
const json = (value: unknown): string =>
  value === undefined || value === null
    ? ""
    : JSON.stringify(value, (_, inner: unknown) =>
        typeof inner === "bigint" || inner instanceof RegExp ? String(inner) : inner
      )

const cut = (text: string): string => (text.length > maxLength ? `${text.slice(0, 100)}... ${hash(text)}` : text)

/** 64 bits by two lanes of multiply and xor (cyrb53's): not secret, but cheap and well mixed. */
export const hash = (text: string): string => {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    a = Math.imul(a ^ char, 0x9e3779b1)
    b = Math.imul(b ^ char, 0x5f356495)
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return hex(b) + hex(a)
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0")
