/** Reads the code blocks of a document, and the options in their fences. */

/** A fenced block of a Markdown file. */
export interface Block {
  /** The document, relative to the repository: `docs/guide.md`. */
  readonly page: string
  /** The line of the opening fence, from 1. */
  readonly line: number
  readonly language: string
  /** The rest of the fence: `no-run="needs a cluster"` is `{ "no-run": "needs a cluster" }`. */
  readonly info: Readonly<Record<string, string>>
  readonly code: string
  /** Code of a hidden comment `<!--ts … -->` in front of the block: imports and values that the page does not repeat. */
  readonly hidden: string
  /** The file name in the block's first line (`// runner.ts`). Later blocks of the page import the block by this name. */
  readonly file: string | undefined
}

export const label = ({ line, page }: Block): string => `${page}:${line}`

/** Languages whose blocks are programs, and languages that only a reader reads. */
const programs = ["ts", "js", "sh"]
const data = ["json", "yaml"]
const prose = ["text", "mermaid", "dockerfile", "md"]

const fence = /^(?<indent> *)```(?<language>[\w-]*)(?<info>[^\n]*)\n(?<code>[\s\S]*?)^\k<indent>```[ \t]*$/gm
const hiddenCode = /<!--ts\n(?<hidden>[\s\S]*?)-->\s*$/
const fileName = /^(?:\/\/|#) (?<file>[\w./-]+\.(?:ts|mts|js|mjs|tsx|json|yaml|sh))\b/

const unindent = (code: string, indent: string): string => code.replaceAll(new RegExp(`^${indent}`, "gm"), "")

const parseInfo = (info: string): Record<string, string> =>
  Object.fromEntries(
    [...info.matchAll(/(?<key>[\w-]+)(?:="(?<value>[^"]*)")?/g)].map(({ groups }) => [
      groups!.key!,
      groups!.value ?? ""
    ])
  )

export const isProgram = ({ language }: Block): boolean => programs.includes(language)
export const isTypeScript = ({ language }: Block): boolean => language === "ts"

/** All blocks of a document, in order. Fails when a fence names no language that the checks know. */
export const blocksOf = (page: string, text: string): ReadonlyArray<Block> => {
  let end = 0
  return [...text.matchAll(fence)].map((match) => {
    const { code = "", indent = "", info = "", language = "" } = match.groups ?? {}
    const before = text.slice(end, match.index)
    end = match.index + match[0].length
    const own = unindent(code, indent)
    const block: Block = {
      page,
      line: text.slice(0, match.index).split("\n").length,
      language,
      info: parseInfo(info),
      code: own,
      hidden: before.match(hiddenCode)?.groups?.hidden ?? "",
      file: own.match(fileName)?.groups?.file
    }
    if (![...programs, ...data, ...prose].includes(language)) {
      throw new Error(`${label(block)}: the language of this block is "${language}"; the checks know none of that name`)
    }
    if (block.info["no-run"] === "") throw new Error(`${label(block)}: no-run needs a reason: no-run="…"`)
    return block
  })
}
