/**
 * The head of a Request: which function, with which budget, and what else crosses with a call.
 *
 *   u16 function | u8 flags | [u32 budget ms] | [16 trace id, 8 span id, u8 sampled] | [u16 length, JSON extras]
 *
 * The flags: whether budget, span and extras are there, whether the runner reports how long the call ran, and whether the
 * call is nested.
 */
import * as LogLevel from "effect/LogLevel"
import { fitting, sayable } from "./Annotations.ts"

/** Identity of the span that a call belongs to, as W3C ids in hexadecimal. */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

/** References of the caller that cross besides budget and trace. References at their defaults are absent. */
export interface Extras {
  readonly annotations?: Readonly<Record<string, unknown>>
  readonly level?: LogLevel.LogLevel
  /** Values of `Flame.propagate`d References, encoded by their schemas. */
  readonly references?: Readonly<Record<string, unknown>>
  /** Headers of a request of a group; none of them is larger than `CallHeaders.maxHeaders`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whether nobody waits for the result of a request of a group. */
  readonly discard?: true
}

export interface RequestHead {
  readonly functionIndex: number
  /** The rest of the call's budget in milliseconds; undefined without one. */
  readonly budget: number | undefined
  readonly span: SpanIds | undefined
  readonly extras: Extras | undefined
  /** Whether the caller wants the run time of the function. */
  readonly isTimed: boolean
  /** Whether a function waits for the call: a draining runner that has calls still serves it. */
  readonly isNested: boolean
  /** The offset of the payload. */
  readonly end: number
}

const flag = { budget: 1, span: 2, extras: 4, timed: 8, nested: 16 }
const extrasLimit = 8 * 1024
const scratch = Buffer.allocUnsafe(32 + 2 + extrasLimit)

/** Heads without options, by the index of their function. Most calls use one, and making a view takes time. */
const plainHeads: Array<Uint8Array> = []

/**
 * Encodes a head. Returns a view of memory that the next call overwrites, so use it at once.
 *
 * An annotation that JSON cannot hold, or with which the extras exceed 8 KiB, is left out and named, because it must
 * not make a call fail. All References are left out if they alone exceed that size.
 */
export const encodeHead = (
  functionIndex: number,
  budget: number | undefined,
  span: SpanIds | undefined,
  extras: Extras | undefined,
  isTimed = false,
  isNested = false
): Uint8Array => {
  if (budget === undefined && span === undefined && extras === undefined && !isTimed && !isNested)
    return (plainHeads[functionIndex] ??= Buffer.from([functionIndex >>> 8, functionIndex, 0]))
  let flags = (isTimed ? flag.timed : 0) | (isNested ? flag.nested : 0)
  let at = 3
  scratch.writeUInt16BE(functionIndex, 0)
  if (budget !== undefined) {
    flags |= flag.budget
    at = scratch.writeUInt32BE(Math.min(0xffffffff, Math.max(0, Math.ceil(budget))), at)
  }
  // A tracer may have ids of another kind, which the other side would not understand.
  if (
    span !== undefined &&
    scratch.write(span.traceId, at, 16, "hex") === 16 &&
    scratch.write(span.spanId, at + 16, 8, "hex") === 8
  ) {
    flags |= flag.span
    scratch[at + 24] = span.sampled ? 1 : 0
    at += 25
  }
  if (extras !== undefined) {
    const { discard, headers } = extras
    const isGroup = discard !== undefined || headers !== undefined
    const bytes =
      jsonOf(extras) ?? withFittingAnnotations(extras) ?? (isGroup ? jsonOf({ discard, headers }) : undefined)
    if (bytes !== undefined) {
      flags |= flag.extras
      at = scratch.writeUInt16BE(bytes.length, at)
      scratch.set(bytes, at)
      at += bytes.length
    }
  }
  scratch[2] = flags
  return scratch.subarray(0, at)
}

const jsonOf = (extras: { readonly [_ in keyof Extras]?: unknown }): Buffer | undefined => {
  try {
    const bytes = Buffer.from(JSON.stringify(extras, sayable))
    return bytes.length <= extrasLimit ? bytes : undefined
  } catch {
    return undefined
  }
}

/** The extras with the annotations that fit beside the rest, which must not be lost because of one annotation. */
const withFittingAnnotations = (extras: Extras): Buffer | undefined => {
  const rest = jsonOf({ ...extras, annotations: undefined })
  if (extras.annotations === undefined || rest === undefined) return rest
  const annotations = fitting(extras.annotations, extrasLimit - rest.length - ',"annotations":'.length)
  return jsonOf({ ...extras, annotations }) ?? rest
}

const isRecord = (u: unknown): u is Record<string, unknown> => typeof u === "object" && u !== null && !Array.isArray(u)

const isExtras = (u: unknown): u is Extras =>
  isRecord(u) &&
  (u.annotations === undefined || isRecord(u.annotations)) &&
  (u.references === undefined || isRecord(u.references)) &&
  (u.headers === undefined || (isRecord(u.headers) && Object.values(u.headers).every((_) => typeof _ === "string"))) &&
  (u.discard === undefined || u.discard === true) &&
  (u.level === undefined || (LogLevel.values as ReadonlyArray<unknown>).includes(u.level))

/** Decodes a head. Returns undefined for malformed bytes. */
export const decodeHead = (bytes: Buffer): RequestHead | undefined => {
  if (bytes.length < 3) return undefined
  const flags = bytes[2]!
  if (flags > 31) return undefined
  let at = 3
  let budget: number | undefined
  let span: SpanIds | undefined
  let extras: Extras | undefined
  if ((flags & flag.budget) !== 0) {
    if (bytes.length < at + 4) return undefined
    budget = bytes.readUInt32BE(at)
    at += 4
  }
  if ((flags & flag.span) !== 0) {
    if (bytes.length < at + 25) return undefined
    span = {
      traceId: bytes.toString("hex", at, at + 16),
      spanId: bytes.toString("hex", at + 16, at + 24),
      sampled: bytes[at + 24] === 1
    }
    at += 25
  }
  if ((flags & flag.extras) !== 0) {
    if (bytes.length < at + 2) return undefined
    const length = bytes.readUInt16BE(at)
    at += 2
    if (length > extrasLimit || bytes.length < at + length) return undefined
    let parsed: unknown
    try {
      parsed = JSON.parse(bytes.toString("utf8", at, at + length))
    } catch {
      return undefined
    }
    if (!isExtras(parsed)) return undefined
    extras = parsed
    at += length
  }
  return {
    functionIndex: bytes.readUInt16BE(0),
    budget,
    span,
    extras,
    isTimed: (flags & flag.timed) !== 0,
    isNested: (flags & flag.nested) !== 0,
    end: at
  }
}
