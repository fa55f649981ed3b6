/**
 * Rejects values that contain themselves, for schemas whose transformations may wait. Schema would follow such a value for
 * ever. If no transformation waits, a stack overflow ends that.
 */
import * as SchemaAST from "effect/SchemaAST"
import { LimitError, maxDepth } from "./ValueLimits.ts"

/** Throws a `LimitError` if a value contains itself by a schema that refers to itself. */
export const refuseCycles = (ast: SchemaAST.AST, value: unknown): void => visit(ast, value, new Map())

/** Values by the suspended schema that took them: `true` while their parts are visited, `false` afterwards. */
type Visits = Map<SchemaAST.AST, Map<object, boolean>>

const visit = (ast: SchemaAST.AST, value: unknown, visits: Visits): void => {
  if (typeof value !== "object" || value === null) return
  switch (ast._tag) {
    case "Suspend": {
      const inner = ast.thunk()
      let seen = visits.get(inner)
      if (seen === undefined) visits.set(inner, (seen = new Map()))
      const isOpen = seen.get(value)
      if (isOpen === true) throw new LimitError(`is nested deeper than ${maxDepth} levels`)
      if (isOpen === false) return
      seen.set(value, true)
      visit(inner, value, visits)
      seen.set(value, false)
      return
    }
    case "Objects":
      for (const { name, type } of ast.propertySignatures) visit(type, (value as never)[name], visits)
      for (const { type } of ast.indexSignatures) for (const part of Object.values(value)) visit(type, part, visits)
      return
    case "Arrays":
      if (!Array.isArray(value)) return
      for (const [i, part] of value.entries()) visit(ast.elements[i] ?? ast.rest[0] ?? SchemaAST.never, part, visits)
      return
    case "Union":
      for (const type of ast.types) visit(type, value, visits)
      return
    default:
      return
  }
}
