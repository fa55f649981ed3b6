/**
 * Limits the cost of reading text that has parts: of matching a `Schema.TemplateLiteral`, and of decoding the parts of text
 * that Schema parses, such as by `Schema.fromJsonString`.
 *
 * Effect tries each way to divide a text among the parts of a template. For three parts of any text the number of ways is the
 * square of the text's length. Numbers and inner templates take more. So a template travels as text with a check, which
 * refuses text that would take too many tries before Effect begins.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { LimitError } from "./ValueLimits.ts"
import { spendWork } from "./ValueWork.ts"

/** Characters of the longest text that is matched. */
export const maxTemplateText = 1_024

/** Characters of a number that are read in the time of one try. */
const digits = 20

/** Steps of work of a match with a single try: Effect parses each part by the schema of the part. */
const perMatch = 20

/** Text that a template matches, with the encoding and the checks of the template. */
export const textOf = (template: SchemaAST.TemplateLiteral): SchemaAST.String => {
  const { annotations, checks, context, encoding } = template
  const bare = new SchemaAST.TemplateLiteral(template.parts, annotations)
  const matches = SchemaParser.is(Schema.make<Schema.Schema<string>>(bare))
  const filter = new SchemaAST.Filter<string>(
    (text, _, options) =>
      spend(bare, text) && matches(text) ? undefined : new SchemaIssue.InvalidType(bare, text, options),
    { expected: "text of its template" }
  )
  return new SchemaAST.String(annotations, [filter, ...(checks ?? [])], encoding, context)
}

/** Throws rather than fails: a key that fails to match its template is no key of the record, and would be left out. */
const spend = (template: SchemaAST.TemplateLiteral, text: string): true => {
  if (text.length > maxTemplateText) {
    throw new LimitError(`has text of a template that is longer than ${maxTemplateText} characters`)
  }
  spendWork(
    perMatch + triesOf(template, text),
    "has text that its templates can part in too many ways for its maxValue"
  )
  return true
}

/** The number of ways to divide a text among the parts of a template, weighed by the cost of matching the parts. */
export const triesOf = ({ parts }: SchemaAST.TemplateLiteral, text: string): number => {
  let tries = text.length / digits + parts.length
  // The number of positions at which the part before may end.
  let begins = 1
  for (const [i, part] of parts.entries()) {
    if (part._tag === "Literal") continue
    const next = parts[i + 1]
    const isLast = next === undefined
    const ends = isLast ? 1 : next._tag === "Literal" ? countOf(String(next.literal), text) : text.length + 1
    tries += begins * ends * weightOf(part, text)
    begins = ends
  }
  return tries
}

const weightOf = (part: SchemaAST.AST, text: string): number => {
  switch (part._tag) {
    case "Literal":
      return 1
    case "TemplateLiteral":
      return triesOf(part, text)
    case "Union":
      return part.types.reduce((sum, type) => sum + weightOf(type, text), 1)
    case "String":
      return part.checks === undefined ? 1 : 1 + text.length / digits
    default:
      return 1 + text.length / digits
  }
}

const countOf = (literal: string, text: string): number => {
  if (literal === "") return text.length + 1
  let count = 0
  for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + 1)) count++
  return count
}

/**
 * Steps of work that it takes Schema to decode one part of parsed text. The text counts as one part of its message, but the
 * value may have a million.
 */
const perPart = 8

/** Text with a check that counts its parts before they are parsed. Throws a `LimitError` for too many parts. */
export const partsText: SchemaAST.Filter<string> = new SchemaAST.Filter<string>(
  (text) => {
    spendWork(perPart * partsOf(text), "has text of JSON or the like with too many parts for its maxValue")
    return undefined
  },
  undefined,
  true
)

/** No fewer parts than a parser of JSON or of a list finds: each part but the first one follows one of these characters. */
const partsOf = (text: string): number => {
  let parts = 1
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x2c: // ,
      case 0x3a: // :
      case 0x5b: // [
      case 0x7b: // {
      case 0x26: // &
      case 0x3d: // =
      case 0x3b: // ;
        parts++
    }
  }
  return parts
}
