/**
 * The layout of a function in words, such as `payload.id: String`. By it a refusal names the fields in which two sides
 * differ. The hashes of their layouts only show that they differ.
 */
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { describer } from "./SchemaLayout.ts"

/** Lines of a layout in words, at most: a runner sends the lines of all of its functions at its boot. */
const maxLines = 32

/** Levels of fields within fields that have lines of their own. */
const maxFields = 3

/** The layout of a function in words, one line for each field. A function known only by its claimed layout has no lines. */
export const wordsOf = (fn: object, describe = describer()): ReadonlyArray<string> => {
  const { error, payload, stream, success } = fn as Record<"error" | "payload" | "stream" | "success", unknown>
  const lines = [`result: ${stream === true ? "a stream" : "one value"}`]
  for (const [side, schema] of Object.entries({ payload, success, error })) {
    if (!Schema.isSchema(schema)) return []
    addLines(lines, side, schema.ast, maxFields, describe)
  }
  return lines
}

const addLines = (
  lines: Array<string>,
  path: string,
  ast: SchemaAST.AST,
  levels: number,
  describe: (ast: SchemaAST.AST) => string
): void => {
  if (lines.length >= maxLines) return
  const fields = levels === 0 ? [] : fieldsOf(ast)
  if (fields.length === 0) return void lines.push(`${path}: ${describe(ast)}`)
  for (const { name, type } of fields) {
    const isOptional = type.context?.isOptional === true
    addLines(lines, `${path}.${String(name)}${isOptional ? "?" : ""}`, type, levels - 1, describe)
  }
}

/** The fields of a struct or a class. */
const fieldsOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.PropertySignature> => {
  if (ast._tag === "Objects") return ast.propertySignatures
  const inner =
    ast._tag === "Declaration" && "~constructor" in (ast.annotations ?? {}) ? ast.typeParameters[0] : undefined
  return inner?._tag === "Objects" ? inner.propertySignatures : []
}

/** The lines of one side that the other side lacks, for people; empty if no line differs. At most three lines. */
export const differences = (ours: ReadonlyArray<string>, theirs: ReadonlyArray<string>): string => {
  const paths = new Set(ours.map(pathOf))
  const own = ours.filter((line) => !theirs.includes(line))
  const missing = theirs.map(pathOf).filter((path) => !paths.has(path))
  const all = [...own, ...missing.map((path) => `no ${path}`)]
  const more = all.length > 3 ? ` and ${all.length - 3} more` : ""
  return all.slice(0, 3).join(", ") + more
}

const pathOf = (line: string): string => line.slice(0, Math.max(0, line.indexOf(": "))).replace(/\?$/, "")
