/**
 * A hook for `--import`: records each entry of a function of src, in order, with its time.
 *
 * V8's coverage counts functions but does not order them. The hook therefore writes a call of `entered` at the start of
 * each function while a module is loaded. `TRACE_FOLDER` gets one file per process, when the process exits.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { registerHooks, stripTypeScriptTypes } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseAst } from "rolldown/parseAst"

const src = new URL("../../src/", import.meta.url).href

/** The functions of src by number; and the entries: a function's number and a time, one after the other. */
const names = []
const entries = []

globalThis.entered = (number) => {
  entries.push(number, performance.timeOrigin + performance.now())
}

process.once("exit", () => {
  const file = join(process.env.TRACE_FOLDER, `${process.pid}.json`)
  writeFileSync(file, JSON.stringify({ names, entries }))
})

/** The name by which a reader finds a function: its own, or the name of the variable, property or call that holds the function. */
const nameOf = (node, parent) => {
  if (node.id?.name !== undefined) return node.id.name
  const key = parent?.key?.name ?? parent?.id?.name ?? parent?.left?.property?.name
  if (key !== undefined) return key
  return parent?.type === "CallExpression" ? "(callback)" : "(anonymous)"
}

/** Calls `found` with each function below a node, the name of its nearest named holder beside it. */
const visit = (node, parent, holder, found) => {
  if (Array.isArray(node)) {
    for (const child of node) visit(child, parent, holder, found)
    return
  }
  if (node === null || typeof node !== "object" || typeof node.type !== "string") return
  let inside = holder
  if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) {
    const name = nameOf(node, parent)
    inside = name.startsWith("(") ? `${holder} ${name}` : name
    found(node, inside)
  } else if (node.type === "VariableDeclarator" && node.id?.name !== undefined) inside = node.id.name
  else if (node.type === "MethodDefinition" || node.type === "Property") inside = node.key?.name ?? holder
  for (const key of Object.keys(node)) {
    if (key !== "type" && key !== "start" && key !== "end") visit(node[key], node, inside, found)
  }
}

const instrument = (url, source) => {
  const code = stripTypeScriptTypes(source)
  const file = url.slice(src.length - "src/".length)
  const insertions = []
  visit(parseAst(code), undefined, "", (node, name) => {
    if (node.body === null) return
    const line = code.slice(0, node.start).split("\n").length
    const call = `entered(${names.length})`
    names.push({ file, name: name.trim(), line })
    if (node.body.type === "BlockStatement") insertions.push([node.body.start + 1, `${call};`])
    else {
      // Parentheses around the body are not in the syntax tree, so the insertion goes right behind the arrow.
      const start = code.indexOf("=>", node.params.at(-1)?.end ?? node.start) + 2
      insertions.push([start, `(${call},`], [node.end, ")"])
    }
  })
  let result = code
  for (const [at, text] of insertions.toSorted(([a], [b]) => b - a))
    result = result.slice(0, at) + text + result.slice(at)
  return result
}

registerHooks({
  load: (url, context, next) => {
    if (!url.startsWith(src)) return next(url, context)
    return { format: "module", shortCircuit: true, source: instrument(url, readFileSync(fileURLToPath(url), "utf8")) }
  }
})
