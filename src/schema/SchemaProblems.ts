/**
 * Describes the problems of a value, in text that never contains the value.
 *
 * Effect's own formatters leave inputs out too, but not messages that checks and transformations build at run time
 * ("cannot parse hunter2"). This module uses only the text that a schema has about itself.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import { children } from "./SchemaLayout.ts"
import { ValueTooLarge } from "./bound/ValueLimits.ts"

/** A mismatch of value and schema: the path, and the expectation there. */
export interface Problem {
  /** Such as `items[3].meta`; empty at the top. A key that the schema does not name is data, and shown as `[*]`. */
  readonly path: string
  readonly problem: string
}

const maxProblems = 10
const maxLength = 200

/** The problems behind an issue of a schema: each once, at most ten. */
export const problemsOf = (issue: SchemaIssue.Issue, schema: Schema.Top): ReadonlyArray<Problem> => {
  const names = new Set<PropertyKey>()
  collectNames(schema.ast, names, new Set())
  const problems = new Map<string, Problem>()
  for (const [path, problem] of walk(issue, [], undefined)) {
    const shown = { path: formatPath(path, names), problem: shorten(problem) }
    problems.set(`${shown.path}\n${shown.problem}`, shown)
    if (problems.size === maxProblems) break
  }
  return [...problems.values()]
}

function* walk(
  issue: SchemaIssue.Issue,
  path: ReadonlyArray<PropertyKey>,
  check: string | undefined
): Generator<readonly [ReadonlyArray<PropertyKey>, string]> {
  switch (issue._tag) {
    case "Pointer":
      return yield* walk(issue.issue, [...path, ...issue.path], check)
    case "Encoding":
      return yield* walk(issue.issue, path, check)
    case "Filter":
      return yield* walk(issue.issue, path, check ?? expectedByCheck(issue.filter))
    case "Composite":
    case "AnyOf": {
      for (const inner of issue.issues) yield* walk(inner, path, check)
      if (issue.issues.length === 0) yield [path, check ?? expectedBySchema(issue.ast)]
      return
    }
    case "InvalidType":
      return yield [path, check ?? expectedBySchema(issue.ast)]
    case "InvalidValue":
      return yield [path, check ?? text(issue.annotations?.expected, "expected a valid value")]
    case "MissingKey":
      return yield [path, "is missing"]
    case "UnexpectedKey":
      return yield [path, "is not expected here"]
    case "Forbidden":
      return yield [path, "must not be sent"]
    case "OneOf":
      return yield [path, "fits more than one member of its union"]
  }
}

const text = (expected: unknown, otherwise: string): string =>
  typeof expected === "string" ? `expected ${expected}` : otherwise

const expectedBySchema = (ast: SchemaAST.AST): string =>
  SchemaIssue.defaultLeafHook(new SchemaIssue.InvalidType(ast)).replace(/^Expected /, "expected ")

const expectedByCheck = (check: SchemaAST.Check<unknown>): string => {
  const { expected, message } = check.annotations ?? {}
  return typeof message === "string" ? message : text(expected, "does not pass a check of its schema")
}

const formatPath = (path: ReadonlyArray<PropertyKey>, names: ReadonlySet<PropertyKey>): string =>
  path
    .map((key) => {
      if (typeof key === "number") return `[${key}]`
      if (!names.has(key)) return "[*]"
      return typeof key === "string" && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key)
        ? `.${key}`
        : `[${JSON.stringify(String(key))}]`
    })
    .join("")
    .replace(/^\./, "")

const collectNames = (ast: SchemaAST.AST, names: Set<PropertyKey>, seen: Set<SchemaAST.AST>): void => {
  if (seen.has(ast)) return
  seen.add(ast)
  if (ast._tag === "Objects") for (const { name } of ast.propertySignatures) names.add(name)
  for (const [, child] of children(ast)) collectNames(child, names, seen)
  for (const { to } of ast.encoding ?? []) collectNames(to, names, seen)
}

const shorten = (problem: string): string =>
  problem.length > maxLength ? `${problem.slice(0, maxLength)}...` : problem

/** Bytes of the largest message whose errors get the frames of the code that decodes them. */
const mostStacked = 8 * 1024

/**
 * Decodes the errors of a large message without the frames of their stacks. V8 takes ten times as long to capture a stack as
 * Schema takes to decode the error. The frames would be those of this codec alone.
 */
export const withShortStacks = <A>(size: number, decode: () => A): A => {
  if (size <= mostStacked) return decode()
  const { stackTraceLimit } = Error
  // A program may have frozen Error.
  Reflect.set(Error, "stackTraceLimit", 0)
  try {
    return decode()
  } finally {
    Reflect.set(Error, "stackTraceLimit", stackTraceLimit)
  }
}

/** A value that does not fit its schema; the message says where and why, and contains nothing of the value. */
export class CodecError extends Error {
  override readonly name: string = "CodecError"
  readonly problems: ReadonlyArray<Problem>

  constructor(what: string, problems: ReadonlyArray<Problem>) {
    super(`${what}: ${problems.map(({ path, problem }) => (path === "" ? problem : `${path}: ${problem}`)).join("; ")}`)
    this.problems = problems
  }
}

/** Runs code that does not wait as an `Exit`. A value that does not fit, or is too large, is a failure. */
export const attempt = <A>(f: () => A): Effect.Effect<A, CodecError> => {
  try {
    return Exit.succeed(f())
  } catch (error) {
    return isFailure(error) ? Exit.fail(error as CodecError) : Exit.die(error)
  }
}

/**
 * Runs Schema's own code. `name` turns its failures, a stack overflow and an exceeded limit into a `CodecError` or
 * `ValueTooLarge`. Other defects stay defects.
 */
export const withNamedErrors = <A>(
  start: () => Effect.Effect<A, unknown, unknown>,
  name: (error: unknown) => unknown
): Effect.Effect<A, CodecError | ValueTooLarge, unknown> => {
  const named = (error: unknown): Exit.Exit<never, CodecError | ValueTooLarge> => {
    const failure = name(error)
    return isFailure(failure) ? Exit.fail(failure) : Exit.die(failure)
  }
  try {
    const effect = start()
    if (Exit.isExit(effect) && Exit.isSuccess(effect)) return effect as Exit.Exit<A>
    return effect.pipe(Effect.catch(named), Effect.catchDefect(named))
  } catch (error) {
    return named(error)
  }
}

const isFailure = (error: unknown): error is CodecError | ValueTooLarge =>
  error instanceof CodecError || error instanceof ValueTooLarge
