/**
 * The messages of a placed service on its channel: requests, answers and items, each with the id that its requester gave.
 * Both ends send requests and answer them.
 *
 * `u8 kind | u32 id | body`. Kinds and bodies are those of frames.
 */
import { lengthOf, maxPrefix, writeLength } from "../../schema/Varint.ts"
import type { Channel } from "../../wire/Channel.ts"
import type { Kind } from "../../wire/Frame.ts"

/** Bytes of kind and id. */
export const headSize = 5

/**
 * The largest number of unanswered requests of one end, and of bytes of their heads and payloads. An end sends a request while it
 * is below the limit. More is a violation, so a peer holds at most 4 MiB and one message.
 */
export const maxOpen = 2_048
export const maxOpenBytes = 4 * 1024 * 1024

/**
 * Bytes of answers that may wait for the other end. Above this limit no request is answered until the other end has
 * taken some.
 */
export const mostUndelivered = 4 * 1024 * 1024

/** Requests that start in one turn of the event loop. */
export const requestsPerTurn = 256

/** Bytes of taken items after which new credit is granted. */
export const grantAt = 16 * 1024

/** Bytes of items that may be in transit, of one stream, and of all streams towards one end. */
const window = 128 * 1024
const windowOfAll = 4 * 1024 * 1024

/**
 * Items in larger messages are sent alone. A sender joins up to 128 KiB of items, because a receiver decodes all items
 * of a message in one turn, whatever their number.
 */
export const largestBatch = 256 * 1024

/** Whether a message of items holds one part: its length, and nothing after its bytes. */
export const isOneMessage = (body: Uint8Array): boolean => {
  let at = 0
  let length = 0
  let scale = 1
  let byte = 0x80
  while (byte >= 0x80 && at < maxPrefix) {
    byte = body[at++] ?? 0
    length += (byte & 0x7f) * scale
    scale *= 0x80
  }
  return byte < 0x80 && at + length === body.length
}

/**
 * Whether a stream with that many bytes in transit may send a message. A stream with almost nothing in transit always
 * may, because it must not wait for streams that are not pulled.
 */
export const mayFollow = (ahead: number, aheadOfAll: number): boolean =>
  ahead < window && (aheadOfAll < windowOfAll || ahead < grantAt)

/** Bytes that a message may have around a value: the head of a request, lengths of items. */
export const slack = 16 * 1024

/** Bytes up to which a message is assembled before it is sent. */
const joined = 4 * 1024

/** The buffer in which messages are assembled. A channel copies messages of up to this size. */
const scratch = Buffer.allocUnsafeSlow(maxPrefix + joined)

const none: ReadonlyArray<Uint8Array> = []

/** Sends one message. */
export const send = (channel: Channel, kind: Kind, id: number, pieces: ReadonlyArray<Uint8Array> = none): void => {
  let size = headSize
  for (const piece of pieces) size += piece.length
  if (size <= joined) {
    let at = writeHead(scratch, writeLength(scratch, 0, size), kind, id)
    for (const piece of pieces) {
      scratch.set(piece, at)
      at += piece.length
    }
    channel.send(scratch.subarray(0, at))
    return
  }
  const head = Buffer.allocUnsafe(headSize)
  writeHead(head, 0, kind, id)
  channel.send(lengthOf(size))
  channel.send(head)
  // Copied, because detached bytes would end the channel, which all requests of the service share.
  for (const piece of pieces) channel.send(piece.length > joined ? new Uint8Array(piece) : piece)
}

const writeHead = (into: Buffer, at: number, kind: number, id: number): number => {
  into[at] = kind
  return into.writeUInt32BE(id, at + 1)
}

/** A u32 as a body. */
export const u32 = (n: number): Uint8Array => {
  const body = Buffer.allocUnsafe(4)
  body.writeUInt32BE(n, 0)
  return body
}
