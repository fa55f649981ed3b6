/** The parent's half of the exchange by which a runner gets its code, on a connection that was authenticated. */
import * as Effect from "effect/Effect"
import { type BootFailure, NeverConnected, NotARunner } from "../error/BootFailure.ts"
import { CodeMismatch } from "../error/CodeFailure.ts"
import { printableLine } from "../error/PeerText.ts"
import { encode, headerSize, json, Kind, kindName, partSize } from "../wire/Frame.ts"
import { decodeFailure } from "../wire/Handshake.ts"
import { startedBy, type Transport, type TransportHandlers } from "../wire/Transport.ts"
import type { Code } from "./PreparedCode.ts"
import type { CodeHead } from "./CodeExchange.ts"

/** The largest frame of a runner that has no code yet, in bytes: a failure with a stack. */
const largestFrame = 64 * 1024

/**
 * Sends the code to a runner that asks for it, and returns the connection for the session that follows.
 *
 * Fails with the cause that the runner sends, or with `CodeMismatch` if the runner asks for another hash. Fails with
 * `NotARunner` if the runner breaks the order of the exchange, such as by asking twice.
 */
export const sendCode = (transport: Transport, code: Code): Effect.Effect<Transport, BootFailure> =>
  Effect.callback<Transport, BootFailure>((resume) => {
    const sender = new Sender(transport, code, resume)
    sender.start()
    return Effect.sync(() => transport.destroy())
  })

type Stage =
  | { readonly _tag: "Waiting" }
  | { readonly _tag: "Sending"; at: number }
  | { readonly _tag: "Kept"; rest: Buffer; closed: { readonly error: Error | undefined } | undefined }
  | { readonly _tag: "Session"; readonly handlers: TransportHandlers }
  | { readonly _tag: "Over" }

class Sender {
  private stage: Stage = { _tag: "Waiting" }
  private buffer: Buffer = Buffer.alloc(0)
  private credit = 0
  private isCongested = false
  private readonly transport: Transport
  private readonly code: Code
  private readonly resume: (result: Effect.Effect<Transport, BootFailure>) => void

  constructor(transport: Transport, code: Code, resume: (result: Effect.Effect<Transport, BootFailure>) => void) {
    this.transport = transport
    this.code = code
    this.resume = resume
  }

  start(): void {
    this.transport.start({
      data: (chunk) => this.take(chunk),
      drained: () => {
        this.isCongested = false
        if (this.stage._tag === "Session") return this.stage.handlers.drained()
        this.flush()
      },
      closed: (error) => this.closed(error)
    })
  }

  private take(chunk: Uint8Array): void {
    const { stage } = this
    switch (stage._tag) {
      case "Session":
        return stage.handlers.data(chunk)
      case "Kept":
        stage.rest = Buffer.concat([stage.rest, chunk])
        return
      case "Over":
        return
      default:
        this.buffer = Buffer.concat([this.buffer, chunk])
        return this.parse()
    }
  }

  private parse(): void {
    while (this.buffer.length >= headerSize) {
      const end = headerSize + this.buffer.readUInt32BE(0)
      if (end > largestFrame)
        return this.refuse(new NotARunner({ detail: `it sent a frame of ${end} bytes before Hello` }))
      if (this.buffer.length < end) return
      const frame = this.buffer.subarray(0, end)
      this.buffer = this.buffer.subarray(end)
      this.frame(frame[4]!, frame.subarray(headerSize))
      if (this.stage._tag === "Kept" || this.stage._tag === "Over") return
    }
  }

  private frame(kind: number, body: Buffer): void {
    const { stage } = this
    if (kind === Kind.Fail) return this.fail(decodeFailure(body))
    if (kind === Kind.AskCode && stage._tag === "Waiting") return this.answer(body)
    if (kind === Kind.CodeCredit && body.length === 4) {
      this.credit += body.readUInt32BE(0)
      return this.flush()
    }
    if (kind === Kind.CodeKept && stage._tag === "Sending" && stage.at === this.code.sent.length) return this.kept()
    const what =
      kind === Kind.AskCode ? "asked for its code twice" : `sent ${kindName(kind)} where its code comes first`
    this.refuse(new NotARunner({ detail: `it ${what}: does its image run another version of effect-flame?` }))
  }

  private answer(body: Buffer): void {
    const { code } = this
    const asked = hashIn(body)
    if (asked !== code.hash) return this.refuse(new CodeMismatch({ expected: asked, found: code.hash }))
    const head: CodeHead = { size: code.size, sent: code.sent.length }
    this.write(encode(Kind.CodeHead, 0, json(head)))
    this.stage = { _tag: "Sending", at: 0 }
    this.flush()
  }

  /** Sends as much as the credit of the runner and the connection allow. */
  private flush(): void {
    const { code, stage } = this
    if (stage._tag !== "Sending") return
    while (stage.at < code.sent.length && this.credit > 0 && !this.isCongested) {
      const size = Math.min(partSize, this.credit, code.sent.length - stage.at)
      const part = code.sent.subarray(stage.at, stage.at + size)
      stage.at += size
      this.credit -= size
      this.write(encode(Kind.CodePart, 0, part))
    }
  }

  private write(frame: Buffer): void {
    this.isCongested = !this.transport.write([frame]) || this.isCongested
  }

  private kept(): void {
    const stage: Stage = { _tag: "Kept", rest: this.buffer, closed: undefined }
    this.stage = stage
    this.buffer = Buffer.alloc(0)
    const { transport } = this
    const start = (handlers: TransportHandlers) => {
      this.stage = { _tag: "Session", handlers }
      if (stage.rest.length > 0) handlers.data(stage.rest)
      if (stage.closed !== undefined) handlers.closed(stage.closed.error)
    }
    this.resume(Effect.succeed(startedBy(transport, start)))
  }

  private closed(error: Error | undefined): void {
    const { stage } = this
    if (stage._tag === "Session") return stage.handlers.closed(error)
    if (stage._tag === "Kept") {
      stage.closed = { error }
      return
    }
    if (stage._tag === "Over") return
    this.stage = { _tag: "Over" }
    const why = error === undefined ? "" : ` (${error.message})`
    const sent = stage._tag === "Sending" ? `after ${stage.at} of ${this.code.sent.length} bytes` : "before it asked"
    const hint = `its connection ended while it was to get its code, ${sent}${why}; look at its output`
    // The backend knows why the runner ended, and reports it within this time.
    this.resume(Effect.delay(Effect.fail(new NeverConnected({ phase: "connected", hint, after: 0 })), "1 second"))
  }

  /** Tells the runner why it gets no code, and fails its boot. */
  private refuse(cause: BootFailure): void {
    this.transport.write([encode(Kind.Refuse, 0, json({ ...cause }))])
    this.fail(cause)
  }

  private fail(cause: BootFailure): void {
    this.stage = { _tag: "Over" }
    this.transport.end()
    this.resume(Effect.fail(cause))
  }
}

/** The hash that a runner asks for, which may be any text. */
const hashIn = (body: Buffer): string => {
  try {
    const { hash } = JSON.parse(body.toString("utf8")) as { hash?: unknown }
    return typeof hash === "string" ? printableLine(hash, 64) : "nothing"
  } catch {
    return "nothing"
  }
}
