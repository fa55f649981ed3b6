/**
 * The handshake of a session, as JSON bodies of its first frames.
 *
 * A runner sends Hello when it can serve, and its parent answers Welcome or Refuse. A runner that cannot serve sends Fail.
 */
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import { BootFailure, NotARunner, VersionMismatch } from "../error/BootFailure.ts"
import { printable, printableLine } from "../error/PeerText.ts"
import { differences, wordsOf } from "../schema/LayoutWords.ts"
import { protocol } from "./Frame.ts"

/** A runner introduces itself. `functions` are names with the fingerprint of their schemas' layout. */
export interface Hello {
  readonly protocol: number
  readonly build: string
  readonly runner: string
  readonly life: string
  readonly functions: ReadonlyArray<readonly [name: string, fingerprint: string]>
  /** The layouts of the first of these functions in words, for refusals. */
  readonly words?: ReadonlyArray<ReadonlyArray<string>>
  /** The steps of the boot, if the runner is a process of its own. */
  readonly steps?: HelloSteps
}

/** Milliseconds from the start of a runner's process. */
export interface HelloSteps {
  /** Node runs, and starts to load the program. */
  readonly importing: number
  /** The program is loaded, and runs. */
  readonly imported: number
  /** The services are built, and the runner sends Hello. */
  readonly said: number
}

/** The parent's answer: the limits of this session. Sizes in bytes, durations in milliseconds. */
export interface Welcome {
  readonly cancelGrace: number
  readonly drainTimeout: number
  readonly maxPayload: number
  readonly maxResult: number
  /** The lowest level of log lines that the parent wants. Default: all lines. */
  readonly logLevel?: LogLevel.LogLevel
  /** Milliseconds between reports of metrics. Default: no reports. */
  readonly metricsInterval?: number
}

// Not by Schema: compiling two codecs would be a large part of a runner's boot.
const parse = (
  bytes: Uint8Array,
  revive?: (key: string, value: unknown) => unknown
): Readonly<Record<string, unknown>> | undefined => {
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")
    const value: unknown = JSON.parse(text, revive)
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const isText = (value: unknown): value is string => typeof value === "string"

const isServed = (value: unknown): value is readonly [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every(isText)

const asHello = (value: Readonly<Record<string, unknown>>): Hello | undefined => {
  const { build, functions, life, runner } = value
  if (!isText(build) || !isText(runner) || !isText(life) || !Array.isArray(functions)) return undefined
  if (!functions.every(isServed)) return undefined
  const steps = asSteps(value["steps"])
  const hello = {
    protocol,
    build: printableLine(build),
    runner: printableLine(runner),
    life: printableLine(life),
    functions
  }
  const words = asWords(value["words"])
  return { ...hello, ...(words === undefined ? {} : { words }), ...(steps === undefined ? {} : { steps }) }
}

/** Decodes layouts in words, which only people read. Invalid words are left out. */
const asWords = (value: unknown): Hello["words"] =>
  Array.isArray(value) && value.every((lines) => Array.isArray(lines) && lines.every(isText)) ? value : undefined

/** Decodes the times of a boot, which only people read. Invalid times are left out. */
const asSteps = (value: unknown): HelloSteps | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const { imported, importing, said } = value as Record<string, unknown>
  return isTime(importing) && isTime(imported) && isTime(said) ? { importing, imported, said } : undefined
}

const isTime = (value: unknown): value is number => typeof value === "number" && value >= 0 && value < 1e12

/** Decodes a Welcome frame. Returns undefined for any other body. */
export const decodeWelcome = (bytes: Uint8Array): Welcome | undefined => {
  const { cancelGrace, drainTimeout, logLevel, maxPayload, maxResult, metricsInterval } = parse(bytes) ?? {}
  const isNumber = (value: unknown): value is number => typeof value === "number" && value >= 0
  if (!(isNumber(cancelGrace) && isNumber(drainTimeout) && isNumber(maxPayload) && isNumber(maxResult)))
    return undefined
  const limits = { cancelGrace, drainTimeout, maxPayload, maxResult }
  const welcome = isNumber(metricsInterval) ? { ...limits, metricsInterval } : limits
  if (logLevel === undefined) return welcome
  return isLevel(logLevel) ? { ...welcome, logLevel } : undefined
}

const isLevel = (value: unknown): value is LogLevel.LogLevel =>
  (LogLevel.values as ReadonlyArray<unknown>).includes(value)

let decodeCause: ((value: unknown) => Exit.Exit<BootFailure, unknown>) | undefined

/** The failure in a Fail or Refuse frame. */
export const decodeFailure = (bytes: Uint8Array): BootFailure => {
  decodeCause ??= Schema.decodeUnknownExit(Schema.toCodecJson(BootFailure))
  const exit = decodeCause(parse(bytes, (_, value) => (isText(value) ? printable(value) : value)))
  return Exit.isSuccess(exit)
    ? exit.value
    : new NotARunner({ detail: "it refused with a reason that cannot be read here" })
}

/** Checks a runner's Hello against the expected runner. */
export const checkHello = (
  bytes: Uint8Array,
  expected: {
    readonly runner: string
    readonly life: string
    readonly fingerprints: ReadonlyMap<string, string>
    /** The functions of these fingerprints, as far as the parent has their schemas. */
    readonly declared?: ReadonlyMap<string, object>
  }
): Hello | BootFailure => {
  const said = parse(bytes)
  // Another version of the protocol may have another shape: only the version is read before the versions agree.
  if (!Number.isInteger(said?.["protocol"]))
    return new NotARunner({ detail: "the program that dialled back is not a runner of this library" })
  if (said?.["protocol"] !== protocol) {
    return new VersionMismatch({
      what: "protocol",
      parent: `${protocol}`,
      runner: printableLine(String(said?.["protocol"]))
    })
  }
  const hello = asHello(said)
  if (hello === undefined) return new NotARunner({ detail: "its Hello cannot be read here" })
  if (hello.runner !== expected.runner || hello.life !== expected.life) {
    return new NotARunner({
      detail: `it is runner ${hello.runner} of life ${hello.life}, expected was ${expected.runner} of ${expected.life}`
    })
  }
  for (const [index, [name, fingerprint]] of hello.functions.entries()) {
    const ours = expected.fingerprints.get(name)
    if (ours !== undefined && ours !== fingerprint) {
      return layoutMismatch(name, ours, expected.declared?.get(name), hello, index)
    }
  }
  return hello
}

/**
 * The refusal of a function whose schemas have another layout on the runner. Names the fields that differ if both sides know
 * them.
 */
export const layoutMismatch = (
  name: string,
  layout: string,
  fn: object | undefined,
  hello: Hello,
  index: number
): VersionMismatch => {
  const ours = fn === undefined ? [] : wordsOf(fn)
  const theirs = hello.words?.[index] ?? []
  const between = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): string => {
    const text = a.length === 0 || b.length === 0 ? "" : differences(a, b)
    return text === "" ? "" : ` with ${printableLine(text.slice(0, maxWords))}`
  }
  return new VersionMismatch({
    what: `the schemas of ${name}`,
    parent: `layout ${layout}${between(ours, theirs)}`,
    runner: `layout ${printableLine(hello.functions[index]![1])} (build ${hello.build})${between(theirs, ours)}`
  })
}

/** Characters of the fields that a refusal names on one side. */
const maxWords = 600
