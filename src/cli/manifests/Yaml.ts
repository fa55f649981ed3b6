/** Pure: manifests as YAML, with a comment before each object. */
import type { Json } from "../../kubernetes/object/KubeObjects.ts"

/** Texts that YAML reads as texts without quotes or escapes. All others are quoted. */
// A text such as `.5` would be a number.
const plain = /^(?!\.\d)[A-Za-z_./][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*$/
const reserved = /^(true|false|yes|no|on|off|null|y|n|~|\.inf|\.nan)$/i

const scalar = (value: string | number | boolean | null): string =>
  typeof value !== "string" ? String(value) : plain.test(value) && !reserved.test(value) ? value : JSON.stringify(value)

const isScalar = (value: Json): value is string | number | boolean | null => typeof value !== "object" || value === null

/** A list of scalars on one line: `[create, get]`. */
const inline = (value: Json): string | undefined => {
  if (isScalar(value)) return scalar(value)
  if (Array.isArray(value)) {
    return value.every(isScalar) ? `[${value.map((each) => scalar(each as string)).join(", ")}]` : undefined
  }
  return Object.keys(value).length === 0 ? "{}" : undefined
}

const linesOf = (value: Json): ReadonlyArray<string> => {
  const short = inline(value)
  if (short !== undefined) return [short]
  if (Array.isArray(value)) {
    return value.flatMap((item: Json) => linesOf(item).map((line, at) => `${at === 0 ? "- " : "  "}${line}`))
  }
  const lines: Array<string> = []
  for (const [key, item] of Object.entries(value as { readonly [key: string]: Json | undefined })) {
    if (item === undefined) continue
    const own = inline(item)
    if (own === undefined) lines.push(`${scalar(key)}:`, ...linesOf(item).map((line) => `  ${line}`))
    else lines.push(`${scalar(key)}: ${own}`)
  }
  return lines
}

/** An object of the API server, and a comment for its reader. */
export interface Described {
  /** Lines of the comment, without `#`. */
  readonly about: ReadonlyArray<string>
  readonly object: { readonly [key: string]: Json | undefined }
}

/** The objects as documents of one YAML stream. */
export const documents = (all: ReadonlyArray<Described>): string =>
  all.map(({ about, object }) => [...about.map((line) => `# ${line}`), ...linesOf(object), ""].join("\n")).join("---\n")
