/**
 * Bounds what matching the text of a `Schema.TemplateLiteral` costs.
 *
 * Effect tries each way to part the text among the parts of the template: the square of the text's length for three parts
 * that are any text, and more for numbers and for templates within templates. So a template travels as text with a check.
 * The check refuses text whose parts could be tried for too long, before Effect tries any.
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
  spendWork(triesOf(template, text), "has text that its templates can part in too many ways for its maxValue")
  return true
}

/** How many ways there are to part a text among the parts of a template, weighed by what the parts take to match. */
export const triesOf = ({ parts }: SchemaAST.TemplateLiteral, text: string): number => {
  let tries = text.length / digits + parts.length
  // Where the part before may have ended.
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
