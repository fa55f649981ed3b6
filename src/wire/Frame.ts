/**
 * The frames of the wire: `u32 length | u8 kind | u32 id | body`, big-endian, length of the body only.
 *
 * A call is one Request and exactly one final frame of the same id. A call that a function makes is one Nested in the other
 * direction, and also has exactly one final frame. Bodies above `inlineLimit` travel as one Open frame and Parts, paced by
 * Credits, so that a large value does not delay small calls. Between the Request of a channel and its final frame messages
 * go both ways in Items frames, paced by Grants.
 */
import type { BootFailure } from "../error/BootFailure.ts"

/** Version of everything in this folder and of the handshake; two sides of different versions refuse each other. */
export const protocol = 5

/** Bytes before the body. */
export const headerSize = 9

/** Larger bodies travel in parts. In bytes. */
export const inlineLimit = 32 * 1024

/** The body of one Part, in bytes. A small frame waits behind few of them. */
export const partSize = 32 * 1024

/** The largest body of any frame, in bytes. A larger length ends the session before anything is allocated. */
export const frameLimit = 256 * 1024

/** Kinds of frames. Kinds of bodies that come in parts are even for what a caller sends and odd for what comes back. */
export const Kind = {
  /** Runner to parent, JSON: identity of the runner, and the functions that it serves. */
  Hello: 1,
  /** Parent to runner, JSON: the runner is accepted, with the limits of the session. */
  Welcome: 2,
  /** Parent to runner, JSON `BootFailure`: the runner is refused, and why. */
  Refuse: 3,
  /** Runner to parent, JSON `BootFailure`: the runner cannot serve, and why. */
  Fail: 4,
  /** Runner to parent, JSON, before Hello: asks for the code of a hash. */
  AskCode: 5,
  /** Parent to runner, JSON: the size of that code, as it is and as it travels. */
  CodeHead: 6,
  /** Parent to runner: the next bytes of the code. */
  CodePart: 7,
  /** Runner to parent, u32: that many more bytes of the code may come. */
  CodeCredit: 8,
  /** Runner to parent: the code has arrived and has the right hash. Hello or Fail comes next. */
  CodeKept: 9,
  Request: 16,
  /** Asks for the final frame of a call soon; the final frame is its acknowledgement. */
  Cancel: 17,
  /** Final: the encoded success. */
  Success: 24,
  /** Final: the encoded typed error. */
  Failure: 25,
  /** Final, JSON: the defect with which the function died. */
  Defect: 26,
  /** Final: stopped because it was cancelled; its finalizers have run. */
  Interrupted: 27,
  /** Final, JSON: the call did not run, and why; or its result may not be sent. */
  Refused: 28,
  Ping: 32,
  Pong: 33,
  /** Parent to runner, u32 milliseconds: take no new calls, end the present ones within that time, then leave. */
  Drain: 34,
  /** Runner to parent: takes no new calls. */
  Draining: 35,
  /** Runner to parent: the last frame. */
  Bye: 36,
  /** f64 total, u8 kind, head: a large body of that kind begins. */
  OpenRequest: 48,
  OpenResponse: 49,
  PartRequest: 50,
  PartResponse: 51,
  /** u32: credit for that many more bytes of a large body. */
  CreditRequest: 52,
  CreditResponse: 53,
  /** Bytes of the messages of a channel, cut anywhere: each message is a varint length and as many bytes. */
  ItemsRequest: 54,
  ItemsResponse: 55,
  /** u32: credit for that many more bytes of messages. */
  GrantRequest: 56,
  GrantResponse: 57,
  /**
   * Runner to parent: a function calls another one. Its id is the runner's own, and finals of that id come back: a Defect
   * with the name of its runner in front, Refused with a FlameError as JSON. Its parts and items are those of a Request.
   */
  Nested: 64,
  /**
   * Runner to parent: asks for the final frame of a nested call soon. A body of one byte means that the
   * function needs no more: it takes no more items of a stream, or the Scope of a placed service has closed.
   */
  NestedCancel: 65,
  /** Runner to parent, JSON: lines of its log. */
  Logs: 96,
  /** Runner to parent, f64 milliseconds: the run time of the call's function. The final frame of the call is next. */
  Ran: 97,
  /** Runner to parent, JSON: changes of its metrics. */
  Metrics: 98
} as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Names of the kinds, for log lines. */
export const kindName = (kind: number): string =>
  Object.entries(Kind).find(([, value]) => value === kind)?.[0] ?? `unknown kind ${kind}`

/** Whether a frame of this kind ends a call. */
export const isFinal = (kind: number): boolean => kind >= Kind.Success && kind <= Kind.Refused

/** Whether a frame of this kind carries messages of a channel. */
export const isItems = (kind: number): boolean => kind === Kind.ItemsRequest || kind === Kind.ItemsResponse

/** Encodes a whole frame, for frames that are written outside a Link. */
export const encode = (kind: Kind, id: number, body: Uint8Array): Buffer => {
  const frame = Buffer.allocUnsafe(headerSize + body.length)
  frame.writeUInt32BE(body.length, 0)
  frame[4] = kind
  frame.writeUInt32BE(id, 5)
  frame.set(body, headerSize)
  return frame
}

/** Encodes a JSON body, for the handshake and rare frames. */
export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** The whole Fail frame of a process that cannot be a runner, for a synchronous write. */
export const fail = (cause: BootFailure): Buffer => encode(Kind.Fail, 0, json({ ...cause }))
