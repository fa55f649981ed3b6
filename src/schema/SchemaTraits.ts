/** Properties of a schema that decide how its values are encoded. */
import * as Exit from "effect/Exit"
import * as SchemaAST from "effect/SchemaAST"
import { children, natives, representationOf } from "./SchemaLayout.ts"
import { membersOf } from "./UnionMembers.ts"
import { isPrompt } from "./WireSchema.ts"

export interface Traits {
  /** Whether some part may suspend or need a service. */
  suspends: boolean
  /** Whether `make` returns something else than it takes, because there are defaults or classes. */
  isMade: boolean
  /** The parts that Schema transforms, as they are encoded. */
  readonly transformed: Set<SchemaAST.AST>
}

/** The traits of a schema that is encoded as `wire`. */
export const traitsOf = (schema: SchemaAST.AST, wire: SchemaAST.AST): Traits => {
  const traits: Traits = { suspends: false, isMade: false, transformed: new Set() }
  const seen = new Set<SchemaAST.AST>()
  const visit = (ast: SchemaAST.AST): void => {
    if (seen.has(ast)) return
    seen.add(ast)
    const made = ast.context?.constructorDefault
    if (made !== undefined) {
      traits.isMade = true
      if (!Exit.isExit(made)) traits.suspends = true
    }
    if (ast.encoding !== undefined) traits.transformed.add(SchemaAST.toEncoded(ast))
    if (ast._tag === "Declaration" && "~constructor" in (ast.annotations ?? {})) traits.isMade = true
    for (const { to, transformation } of ast.encoding ?? []) {
      if (!isPrompt(ast) && mayWait(transformation)) traits.suspends = true
      visit(to)
    }
    for (const [, child] of children(ast)) visit(child)
  }
  visit(schema)
  visit(wire)
  return traits
}

const mayWait = (transformation: SchemaAST.Link["transformation"]): boolean =>
  transformation._tag === "Middleware" || isEffect(transformation.decode) || isEffect(transformation.encode)

const isEffect = ({ _tag }: { readonly _tag: string }): boolean =>
  _tag === "TransformEffect" || _tag === "TransformOptionalEffect"

/**
 * Whether a coder alone decides if a value fits: nothing is transformed, and each value fits at most one member of a
 * union.
 */
export const isPlain = (wire: SchemaAST.AST): boolean => {
  const seen = new Set<SchemaAST.AST>()
  const visit = (ast: SchemaAST.AST): boolean => {
    if (seen.has(ast)) return true
    seen.add(ast)
    if (ast.encoding !== undefined || ("encodingChecks" in ast && ast.encodingChecks !== undefined)) return false
    if (!hasOwnRules(ast)) return false
    for (const [, child] of children(ast)) if (!visit(child)) return false
    return true
  }
  return visit(wire)
}

/** Whether the rules of a node are written in the node, and its coder knows them. */
const hasOwnRules = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "TemplateLiteral":
    case "Unknown":
    case "Any":
    case "ObjectKeyword":
      return false
    case "Declaration":
      return natives.has(representationOf(ast)?.id)
    case "Union":
      return membersOf(ast) !== undefined
    case "Objects": {
      const { indexSignatures, propertySignatures } = ast
      // Without fields the schema accepts any value except null.
      if (propertySignatures.length + indexSignatures.length === 0) return false
      return (
        indexSignatures.every(({ parameter }) => isAnyText(parameter)) &&
        indexSignatures.length <= 1 &&
        (indexSignatures.length === 0 || propertySignatures.length === 0)
      )
    }
    default:
      return true
  }
}

const isAnyText = (ast: SchemaAST.AST): boolean =>
  ast._tag === "String" && ast.checks === undefined && ast.encoding === undefined
