/**
 * The frames and codecs of the wire prototype: frame = u32 length | u8 kind | u32 id | body, bodies by SchemaBinary.
 */
import { type Exit, Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import type { Duplex } from "node:stream"

export interface Fn<P, A, E> {
  readonly id: number
  readonly tag: string
  readonly encodePayload: (p: P) => Uint8Array
  readonly decodePayload: (b: Uint8Array) => P
  readonly encodeSuccess: (a: A) => Uint8Array
  readonly decodeSuccess: (b: Uint8Array) => A
  readonly encodeExit: (e: Exit.Exit<A, E>) => Uint8Array
  readonly decodeExit: (b: Uint8Array) => Exit.Exit<A, E>
}
const codec = (schema: any): [(a: any) => Uint8Array, (b: Uint8Array) => any] => {
  const c = SchemaBinary.toCodec(schema) as any
  return [Schema.encodeUnknownSync(c) as any, Schema.decodeUnknownSync(c) as any]
}
export const fn = <P, A, E>(
  id: number,
  tag: string,
  payload: Schema.Codec<P, any>,
  success: Schema.Codec<A, any>,
  error: Schema.Codec<E, any>
): Fn<P, A, E> => {
  const [encodePayload, decodePayload] = codec(payload)
  const [encodeSuccess, decodeSuccess] = codec(success)
  const [encodeExit, decodeExit] = codec(Schema.Exit(success, error, Schema.Defect()))
  return { id, tag, encodePayload, decodePayload, encodeSuccess, decodeSuccess, encodeExit, decodeExit }
}

/** callback-driven framed reader + per-tick coalescing writer */
export const framedConn = (
  conn: Duplex,
  onFrame: (kind: number, id: number, body: Buffer) => void,
  when: ((f: () => void) => void) & { first?: boolean }
) => {
  let chunks: Array<Buffer> = [],
    have = 0,
    need = 9
  conn.on("data", (d: Buffer) => {
    chunks.push(d)
    have += d.length
    if (have < need) return
    let buf = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
    let off = 0
    need = 9
    while (buf.length - off >= 9) {
      const len = buf.readUInt32BE(off)
      if (buf.length - off < 9 + len) {
        need = 9 + len
        break
      }
      onFrame(buf[off + 4], buf.readUInt32BE(off + 5), buf.subarray(off + 9, off + 9 + len))
      off += 9 + len
    }
    buf = buf.subarray(off)
    chunks = buf.length ? [buf] : []
    have = buf.length
  })
  // small frames are copied into one slab; large bodies are passed by reference
  let slab = Buffer.allocUnsafeSlow(64 * 1024),
    pos = 0,
    start = 0,
    scheduled = false
  let big: Array<Buffer> | undefined
  const flush = () => {
    scheduled = false
    const tail = slab.subarray(start, pos)
    if (big) {
      if (tail.length) big.push(tail)
      conn.cork()
      for (const b of big) conn.write(b)
      conn.uncork()
      big = undefined
    } else if (tail.length) conn.write(tail)
    start = pos
    if (slab.length - pos < 4096) {
      slab = Buffer.allocUnsafeSlow(64 * 1024)
      pos = 0
      start = 0
    }
  }
  return (kind: number, id: number, head: number, body: Uint8Array) => {
    // head: fn id (u16) for requests, else -1
    const hl = head >= 0 ? 2 : 0
    const total = 9 + hl + body.length
    const copy = body.length <= 8192
    const want = copy ? total : 9 + hl
    if (slab.length - pos < want) {
      if (pos > start) (big ??= []).push(slab.subarray(start, pos))
      slab = Buffer.allocUnsafeSlow(64 * 1024)
      pos = 0
      start = 0
    }
    slab.writeUInt32BE(hl + body.length, pos)
    slab[pos + 4] = kind
    slab.writeUInt32BE(id, pos + 5)
    if (hl) slab.writeUInt16BE(head, pos + 9)
    pos += 9 + hl
    if (copy) {
      slab.set(body, pos)
      pos += body.length
    } else {
      ;(big ??= []).push(slab.subarray(start, pos))
      start = pos
      big.push(body as Buffer)
    }
    if (!scheduled) {
      if (when.first) {
        flush()
        scheduled = true
        process.nextTick(flush)
      } // first frame leaves now, rest of the turn is coalesced
      else {
        scheduled = true
        when(flush)
      }
    }
  }
}
