/**
 * The head of a Nested frame, by which a function asks its parent to make a call: the calling call, the function, and the
 * pool.
 *
 * `u32 id of the calling call | u8 flags | u16 length, UTF-8 of pool, function and layout | head of a Request`
 */
import { isPrintable } from "../error/PeerText.ts"
import { decodeHead, encodeHead, type Extras, type RequestHead, type SpanIds } from "./Request.ts"

/** The target of a nested call, by names: the parent may not have the function's code. */
export interface NestedTarget {
  /** Id of the pool. */
  readonly pool: string
  readonly name: string
  /** Fingerprint of its schemas, as the calling runner has them. */
  readonly layout: string
  readonly idempotent: boolean
  /** Whether nobody waits for the result. */
  readonly cast: boolean
  /** Whether the caller asked for no budget: that overrides the timeout of the pool. */
  readonly isUnbounded: boolean
}

export interface NestedHead extends NestedTarget {
  /** The id of the call whose function makes the nested call. */
  readonly caller: number
  readonly terms: RequestHead
  /** The offset of the payload. */
  readonly end: number
}

/** The largest number of nested calls in progress, of one runner and of one call. */
export const maxOpen = 4_096
export const maxOpenOfCall = 1_024

/** The largest number of streams and placed services that functions of one runner have open. */
export const maxChannels = 1_024

/** The largest number of unfinished casts that functions of one runner have made. */
export const maxCasts = 4_096

export const limits = {
  /**
   * Bytes that a parent holds for the nested calls of one runner: payloads of calls and casts that are not over, and
   * answers that the runner has not taken. A value is admitted while there are fewer, so that any size can pass alone.
   */
  mostHeld: 256 * 1024 * 1024
}

const flag = { cast: 1, idempotent: 2, unbounded: 4 }

const fixed = 7

/** The encoded beginnings of heads, by target. */
const begins = new WeakMap<NestedTarget, Buffer>()

const beginOf = (target: NestedTarget): Buffer => {
  const known = begins.get(target)
  if (known !== undefined) return known
  // No name of a function has a control character. A pool whose name has one is reported as missing.
  const names = Buffer.from(`${target.pool}\0${target.name}\0${target.layout}`)
  const begin = Buffer.alloc(fixed + names.length)
  begin[4] =
    (target.cast ? flag.cast : 0) |
    (target.idempotent ? flag.idempotent : 0) |
    (target.isUnbounded ? flag.unbounded : 0)
  begin.writeUInt16BE(names.length, 5)
  begin.set(names, fixed)
  begins.set(target, begin)
  return begin
}

/** Encodes a head. The names of a target are encoded once per target. */
export const encode = (
  caller: number,
  target: NestedTarget,
  budget: number | undefined,
  span: SpanIds | undefined,
  extras: Extras | undefined
): Buffer => {
  const begin = beginOf(target)
  const terms = encodeHead(0, budget, span, extras)
  const head = Buffer.allocUnsafe(begin.length + terms.length)
  head.set(begin, 0)
  head.writeUInt32BE(caller, 0)
  head.set(terms, begin.length)
  return head
}

type Names = Pick<NestedTarget, "pool" | "name" | "layout">

/** Decoded names by their bytes, because most calls are of few functions. */
const known = new Map<string, Names>()
const mostKnown = 256
const longestKnown = 1_024

/** The longest id of a pool, name of a function, and layout, in characters. */
const longestName = 1_024

const namesIn = (bytes: Buffer, end: number): Names | undefined => {
  const key = bytes.toString("latin1", fixed, end)
  const names = known.get(key)
  if (names !== undefined) return names
  const [pool, name, layout, ...more] = bytes.toString("utf8", fixed, end).split("\0")
  if (pool === undefined || !name || layout === undefined || more.length > 0) return undefined
  // These names appear in errors and logs.
  if (!isPrintable(name) || !isPrintable(layout)) return undefined
  if (Math.max(name.length, pool.length, layout.length) > longestName) return undefined
  const read = { pool, name, layout }
  if (end - fixed > longestKnown) return read
  // A runner that invents names must not fill its parent's memory.
  if (known.size >= mostKnown) known.clear()
  known.set(key, read)
  return read
}

/** Decodes a head. Returns undefined for malformed bytes. */
export const decode = (bytes: Buffer): NestedHead | undefined => {
  if (bytes.length < fixed) return undefined
  const flags = bytes[4]!
  const at = fixed + bytes.readUInt16BE(5)
  if (flags > 7 || at > bytes.length) return undefined
  const names = namesIn(bytes, at)
  const terms = decodeHead(bytes.subarray(at))
  if (names === undefined || terms === undefined) return undefined
  return {
    caller: bytes.readUInt32BE(0),
    pool: names.pool,
    name: names.name,
    layout: names.layout,
    cast: (flags & flag.cast) !== 0,
    idempotent: (flags & flag.idempotent) !== 0,
    isUnbounded: (flags & flag.unbounded) !== 0,
    terms,
    end: at + terms.end
  }
}
