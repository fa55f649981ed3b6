/**
 * Encodes the defect of a function: name, message and stack as JSON, and nothing else of the value.
 *
 * Any value can be thrown. This module trusts neither its getters nor its size nor its characters.
 */
import { printable, printableLine } from "../error/PeerText.ts"
import { builtin } from "./Builtin.ts"

/** A defect as its caller sees it: the fields of `RemoteDefect`. */
export interface Defect {
  readonly name: string
  /** The message, on one line. */
  readonly message: string
  /** The stack, with those of the causes. */
  readonly stack: string
}

const maxName = 200
const maxText = 16 * 1024
const maxCauses = 8
/** Most errors of one chain that are read. */
const maxChain = 200

/**
 * Encodes whatever was thrown. Other defects or errors of the same end follow in its stack, each after "beside".
 * Never throws itself.
 */
export const encodeDefect = (defect: unknown, beside: ReadonlyArray<unknown> = []): Uint8Array => {
  const { message, name, stack } = describeDefect(defect)
  // A long stack must not cut off the others.
  const stacks = [beside.length === 0 ? stack : stack.slice(0, maxText / 2)]
  for (const other of beside.slice(0, maxCauses).map(describeDefect)) {
    stacks.push(`beside ${other.stack === "" ? `${other.name}: ${other.message}` : other.stack}`)
  }
  return encoder.encode(JSON.stringify(bounded(name, message, stacks.join("\n"))))
}

/** Decodes a defect. Never throws, whatever the bytes are. */
export const decodeDefect = (bytes: Uint8Array): Defect => {
  try {
    const { message, name, stack } = JSON.parse(decoder.decode(bytes))
    return bounded(name, message, stack)
  } catch {
    return { name: "Error", message: "the defect that the runner sent cannot be read", stack: "" }
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const describeDefect = (defect: unknown): Defect => {
  if (!isObject(defect)) return bounded(defect === null ? "null" : typeof defect, primitive(defect), "")
  const own = read(defect, "message")
  const message = own === "" ? fieldsOf(defect) : own
  if (typeof message !== "string")
    return bounded(read(read(defect, "constructor"), "name") ?? "Object", show(defect), "")
  const name = [read(defect, "name"), read(defect, "_tag")].find((name) => typeof name === "string") ?? "Error"
  return bounded(name, message, stacks(defect, `${name}: ${message.slice(0, maxText)}`))
}

const bounded = (name: unknown, message: unknown, stack: unknown): Defect => ({
  name: printableLine(textOf(name), maxName) || "Error",
  message: printableLine(textOf(message)),
  stack: printable(textOf(stack))
})

const textOf = (value: unknown): string => (typeof value === "string" ? value : "")

const isObject = (u: unknown): u is object => (typeof u === "object" && u !== null) || typeof u === "function"

/** A property of anything: undefined if there is none, or where reading it throws. */
const read = (from: unknown, key: string): unknown => {
  try {
    return (from as Record<string, unknown> | undefined)?.[key]
  } catch {
    return undefined
  }
}

const primitive = (value: unknown): string => {
  const text = String(value)
  return typeof value === "bigint" ? `${text}n` : text
}

const standard = new Set(["name", "_tag", "message", "stack", "cause"])

/** The fields of an error whose message is empty, such as a tagged one. */
const fieldsOf = (error: object): string => {
  try {
    const fields = Object.entries(Object.getOwnPropertyDescriptors(error)).filter(
      ([key, { enumerable, value }]) => enumerable === true && value !== undefined && !standard.has(key)
    )
    return fields.length === 0 ? "" : show(Object.fromEntries(fields.map(([key, { value }]) => [key, value])))
  } catch {
    return ""
  }
}

const show = (value: object): string => {
  try {
    // Runs no code of the value: no getters, no traps of proxies, no custom inspection.
    return builtin("node:util").inspect(value, {
      depth: 2,
      breakLength: Infinity,
      maxArrayLength: 10,
      maxStringLength: 500,
      customInspect: false,
      showProxy: true
    })
  } catch {
    return "a value that cannot be shown"
  }
}

/** The stack of an error and those of its causes, each after "caused by". The root is always among them. */
const stacks = (error: object, headline: string): string => {
  const all = chain(error)
  const first = stackOf(error, headline)
  const others = all
    .slice(1)
    .map((cause) => `caused by ${isObject(cause) ? stackOf(cause, titleOf(cause)) : primitive(cause)}`)
  const left = Math.max(0, others.length - maxCauses)
  // In a long chain the root cause tells most, and then the errors nearest to the top.
  const shown = left === 0 ? others : [...others.slice(0, maxCauses - 1), `... ${left} more causes ...`, others.at(-1)!]
  const texts = [first, ...shown]
  const total = texts.reduce((sum, { length }) => sum + length + 1, -1)
  const share = total <= maxText ? maxText : Math.floor(maxText / texts.length) - 1
  return texts.map((text) => text.slice(0, share)).join("\n")
}

/** An error and its causes, in the order in which they are read; each once. */
const chain = (error: object): ReadonlyArray<unknown> => {
  const all = new Set<unknown>()
  const visit = (of: unknown): void => {
    if (all.has(of) || all.size >= maxChain) return
    all.add(of)
    if (isObject(of)) for (const cause of causes(of)) visit(cause)
  }
  visit(error)
  return [...all]
}

const stackOf = (error: object, otherwise: string): string => {
  const own = read(error, "stack")
  return typeof own === "string" && own !== "" ? own.slice(0, maxText) : otherwise
}

const titleOf = (error: object): string => {
  const message = read(error, "message")
  return typeof message === "string" ? message.slice(0, maxText) : show(error)
}

const causes = (error: object): ReadonlyArray<unknown> => {
  const cause = read(error, "cause")
  const errors = read(error, "errors")
  const several = isArray(errors)
    ? Array.from({ length: maxCauses }, (_, i) => read(errors, String(i))).filter((error) => error !== undefined)
    : []
  return cause === undefined ? several : [cause, ...several]
}

// Array.isArray throws for a revoked proxy.
const isArray = (u: unknown): boolean => {
  try {
    return Array.isArray(u)
  } catch {
    return false
  }
}
