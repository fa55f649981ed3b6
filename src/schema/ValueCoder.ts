/**
 * Compiles a schema to a coder, which writes and reads its values: a closure for each node, made once.
 *
 * The layout is positional, because both processes have the same schema: fields in the order of their names, without
 * their names; members of a union by their index. A coder checks what it writes and what it reads.
 */
import * as SchemaAST from "effect/SchemaAST"
import { Malformed } from "./ByteReader.ts"
import { unfit, Units } from "./Data.ts"
import {
  bigint,
  boolean,
  charged,
  chargedText,
  checkZero,
  data,
  declared,
  json,
  literals,
  never,
  nothing,
  number,
  readIndex,
  string,
  symbol,
  type ValueCoder
} from "./LeafCoders.ts"
import { type Compile, record, struct } from "./ObjectCoders.ts"
import { representationOf } from "./SchemaLayout.ts"
import { isAmbiguous, type Members, membersOf } from "./UnionMembers.ts"

/** Compiles the coder of a plain schema, which alone decides what fits. */
export const plainCoderOf = (ast: SchemaAST.AST): ValueCoder => new Compiler(undefined).compile(ast)

/** Compiles the coder of the encoded side of a schema, whose `transformed` parts Schema itself encodes and decodes. */
export const coderOf = (encoded: SchemaAST.AST, transformed: ReadonlySet<SchemaAST.AST>): ValueCoder =>
  new Compiler(transformed).compile(encoded)

class Compiler {
  private readonly known = new Map<SchemaAST.AST, ValueCoder>()
  /**
   * The parts that Schema transforms. Undefined for a plain schema, whose checks run here because Schema does not see
   * its values.
   */
  private readonly transformed: ReadonlySet<SchemaAST.AST> | undefined

  constructor(transformed: ReadonlySet<SchemaAST.AST> | undefined) {
    this.transformed = transformed
  }

  readonly compile = (ast: SchemaAST.AST): ValueCoder => {
    let coder = this.known.get(ast)
    if (coder === undefined) {
      coder = this.node(ast)
      if (this.transformed === undefined) coder = ast.checks === undefined ? coder : checked(coder, ast, ast.checks)
      else if (this.transformed.has(ast)) {
        coder = charged(ast._tag === "String" ? chargedText(coder) : coder, Units.transformed)
      } else if (ast._tag === "Objects" || ast._tag === "Arrays") coder = charged(coder, Units.object)
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

const checked = ({ read, write }: ValueCoder, ast: SchemaAST.AST, checks: SchemaAST.Checks): ValueCoder => {
  const passes = (check: SchemaAST.Check<unknown>, value: unknown): boolean =>
    check._tag === "FilterGroup"
      ? check.checks.every((inner) => passes(inner, value))
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
      if (count > 1) w.share()
      if (isUniform) for (let i = 0; i < count; i++) others.write(w, value[i])
      else for (let i = 0; i < count; i++) at(i, count).write(w, value[i])
      w.leave()
    },
    read: (r) => {
      const count = r.length()
      if (count < required || (others === undefined && count > first.length))
        throw new Malformed(`an array has ${count} values`)
      r.enter(count)
      if (count > 1) r.share()
      const values: Array<unknown> = []
      if (isUniform) for (let i = 0; i < count; i++) values.push(others.read(r))
      else for (let i = 0; i < count; i++) values.push(at(i, count).read(r))
      r.leave()
      return values
    }
  }
}

/** A coder of a union: the index of the member, and the value unless the index implies it. */
const union = ({ count, literals, memberOf, types }: Members, compile: Compile): ValueCoder => {
  const values = [...literals.keys()]
  let coders: ReadonlyArray<ValueCoder> | undefined
  // Members may be suspended schemas that are being compiled.
  const all = () => (coders ??= types.map(compile))
  return {
    write: (w, value) => {
      const literal = literals.get(value)
      if (literal !== undefined) {
        checkZero(value, values[literal])
        return w.length(literal)
      }
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
