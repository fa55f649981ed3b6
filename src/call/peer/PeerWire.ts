/**
 * What the two ends of a placed service say to each other over its channel: requests, answers and items, each with the
 * id that its requester gave. Both ends ask and answer alike.
 *
 * `u8 kind | u32 id | body`; the kinds are those of frames, and a body is that of the frame.
 */
import { lengthOf, maxPrefix, writeLength } from "../../schema/Varint.ts"
import type { Channel } from "../../wire/Channel.ts"
import type { Kind } from "../../wire/Frame.ts"

/** Kind and id. */
export const headSize = 5

/** What a message may have around a value, in bytes: the head of a request, lengths of items. */
export const slack = 16 * 1024

/** Above this a message is not put together before it is sent. */
const joined = 4 * 1024

/** Where messages are put together: a channel copies what is not larger. */
const scratch = Buffer.allocUnsafeSlow(maxPrefix + joined)

const none: ReadonlyArray<Uint8Array> = []

/** Sends one message; bytes above 4 KiB are not copied. */
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
  for (const piece of pieces) channel.send(piece)
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
