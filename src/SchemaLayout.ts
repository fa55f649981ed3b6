/**
 * The layout of a schema: what two processes must agree on to understand each other's values.
 */
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

/** A hash of what the schemas look like, the same in every process that has them. */
export const fingerprint = (schemas: ReadonlyArray<Schema.Top>): string => hash(schemas.map(describe).join("|"))

/** A readable layout of a schema, in one line. */
export const describe = (schema: Schema.Top): string => String(schema.ast)

const hash = (text: string): string => {
  let h = 0xcbf29ce484222325n
  for (let i = 0; i < text.length; i++) h = BigInt.asUintN(64, (h ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n)
  return h.toString(16).padStart(16, "0")
}

/** A place in a schema that has no type. */
export interface UntypedPlace {
  /** Where it is, such as `.items[].meta`; empty at the top. */
  readonly path: string
  readonly schema: "Schema.Unknown" | "Schema.Any" | "Schema.ObjectKeyword"
}

/** The first place of a schema without a type, whose values no codec could carry faithfully. */
export const untypedPlace = (schema: Schema.Top): UntypedPlace | undefined => search(schema.ast, "", new Set())

const untyped = { Unknown: "Schema.Unknown", Any: "Schema.Any", ObjectKeyword: "Schema.ObjectKeyword" } as const

const search = (ast: SchemaAST.AST, path: string, seen: Set<SchemaAST.AST>): UntypedPlace | undefined => {
  if (seen.has(ast)) return undefined
  seen.add(ast)
  // what is encoded to Json by whoever wrote the schema is refused loudly when it does not fit, not mangled
  const last = ast.encoding?.at(-1)
  if (last !== undefined && isJson(last.to)) return undefined
  if (ast._tag in untyped) return { path, schema: untyped[ast._tag as keyof typeof untyped] }
  for (const [step, child] of children(ast)) {
    const found = search(child, path + step, seen)
    if (found !== undefined) return found
  }
  for (const link of ast.encoding ?? []) {
    const found = search(link.to, path, seen)
    if (found !== undefined) return found
  }
  return undefined
}

const representation = (ast: SchemaAST.AST): unknown =>
  ast._tag === "Declaration" ? (ast.annotations?.["representation"] as { readonly id?: unknown } | undefined)?.id : undefined

const isJson = (ast: SchemaAST.AST): boolean => representation(ast) === "effect/schema/Json"

/** Whether a schema is `Schema.Uint8Array` itself, maybe with checks. */
export const isBytes = (ast: SchemaAST.AST): boolean =>
  ast.encoding === undefined && representation(ast) === "effect/schema/Uint8Array"

/** The schemas that a schema is made of, each with the step of a path that leads there; not those it is encoded to. */
export function* children(ast: SchemaAST.AST): Generator<readonly [string, SchemaAST.AST]> {
  switch (ast._tag) {
    case "Objects":
      for (const { name, type } of ast.propertySignatures) yield [`.${String(name)}`, type]
      for (const { type } of ast.indexSignatures) yield [".*", type]
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
      for (const parameter of ast.typeParameters) yield ["<>", parameter]
  }
}
