import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { decodeLines } from "../../src/wire/LogLineDecoding.ts"
import { LogForward } from "../../src/runner/LogForward.ts"
import { Kind } from "../../src/wire/Frame.ts"
import { Link } from "../../src/wire/Link.ts"
import type { LogLine } from "../../src/wire/LogLine.ts"
import { framesOf } from "../wire/kit.ts"
import { ScriptedTransport } from "../wire/ScriptedTransport.ts"

const setup = () => {
  const transport = new ScriptedTransport()
  const link = new Link(transport, { message() {}, accept: () => undefined, closed() {} })
  link.open()
  const forward = new LogForward()
  const context = forward.around(Context.empty())
  const log = (text: string) => Effect.runForkWith(context)(Effect.log(text))
  /** The lines and gaps of all Logs frames so far. */
  const lines = () =>
    framesOf(Buffer.concat(transport.writes))
      .filter(({ kind }) => kind === Kind.Logs)
      .flatMap(({ body }) => decodeLines(body) as ReadonlyArray<LogLine | number>)
      .map((line) => (typeof line === "number" ? line : line.message.join(" ")))
  return { forward, lines, link, log, transport }
}

describe("LogForward", () => {
  it("keeps lines that are logged before the session, and sends them when it begins", () => {
    const { forward, lines, link, log, transport } = setup()
    log("early")
    transport.settle()
    assert.deepStrictEqual(lines(), [])
    forward.open(link, undefined)
    transport.settle()
    assert.deepStrictEqual(lines(), ["early"])
    assert.deepStrictEqual(forward.takeUnsent(), [])
  })

  it("does not count the lines that the parent does not want, once it has said so", () => {
    const { forward, lines, link, log, transport } = setup()
    const debug = Context.add(forward.around(Context.empty()), References.MinimumLogLevel, "Debug" as const)
    for (let i = 0; i < 900; i++) Effect.runForkWith(debug)(Effect.logDebug("d".repeat(600)))
    forward.open(link, "Info")
    log("x".repeat(1_000))
    transport.settle()
    assert.strictEqual(lines().at(-1), "x".repeat(1_000))
  })

  it("sends the lines of a turn in one frame", () => {
    const { forward, lines, link, log, transport } = setup()
    forward.open(link, undefined)
    log("one")
    log("two")
    assert.deepStrictEqual(transport.writes, [])
    transport.settle()
    assert.deepStrictEqual(lines(), ["one", "two"])
    assert.strictEqual(transport.writes.length, 1)
  })

  it("sends nothing while the connection is congested, drops the oldest lines beyond its limit, and reports their number", () => {
    const { forward, lines, link, log, transport } = setup()
    forward.open(link, undefined)
    transport.isCongested = true
    link.control(Kind.Pong, 0)
    transport.settle()
    const written = transport.writes.length
    for (let i = 0; i < 1_500; i++) log(`line ${i}`)
    transport.settle()
    assert.strictEqual(transport.writes.length, written)
    transport.isCongested = false
    transport.drain()
    transport.settle()
    assert.strictEqual(lines().length, 1_001)
    assert.deepStrictEqual(lines().slice(0, 2), [500, "line 500"])
    assert.strictEqual(lines().at(-1), "line 1499")
  })

  it("drops errors last [C134]", () => {
    const { forward, lines, transport } = setup()
    const context = forward.around(Context.empty())
    Effect.runForkWith(context)(Effect.logError("an error"))
    for (let i = 0; i < 1_500; i++) Effect.runForkWith(context)(Effect.log(`line ${i}`))
    const link = new Link(transport, { message() {}, accept: () => undefined, closed() {} })
    link.open()
    forward.open(link, undefined)
    transport.settle()
    assert.deepStrictEqual(lines().slice(0, 3), [501, "an error", "line 501"])
  })

  it("lets loggers of the program run, and does not send what they print [C135]", () => {
    const seen: Array<string> = []
    const printing = Logger.make(({ message }) => {
      seen.push(String(message))
      process.stdout.write(`${String(message)}\n`)
    })
    const printed: Array<string> = []
    const { write } = process.stdout
    process.stdout.write = (text: string | Uint8Array) => printed.push(String(text)) > 0
    try {
      const context = new LogForward().around(Context.make(References.CurrentLoggers, new Set([printing])))
      Effect.runForkWith(context)(Effect.log("once"))
      process.stdout.write("by hand")
    } finally {
      process.stdout.write = write
    }
    assert.deepStrictEqual([seen, printed], [["once"], ["by hand"]])
  })

  it("replaces a line whose values throw by a line that says so", () => {
    const { forward, lines, link, transport } = setup()
    forward.open(link, undefined)
    const context = forward.around(Context.empty())
    const throwing = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("no keys")
        }
      }
    )
    const logged = Effect.runForkWith(context)(
      Effect.provideService(Effect.log("x"), References.CurrentLogAnnotations, throwing)
    )
    assert.isTrue(Exit.isSuccess(logged.pollUnsafe()!))
    transport.settle()
    assert.match(String(lines()[0]), /cannot be sent: Error: no keys/)
  })

  it("is bounded in bytes too", () => {
    const { forward, lines, link, log, transport } = setup()
    for (let i = 0; i < 200; i++) log(`${i} ${"x".repeat(8_000)}`)
    forward.open(link, undefined)
    transport.settle()
    const [dropped, ...rest] = lines()
    assert.strictEqual(Number(dropped) + rest.length, 200)
    assert.isBelow(rest.join("").length, 512 * 1024)
    assert.match(String(rest.at(-1)), /^199 /)
  })

  it("leaves out lines below the parent's level, also those from before the session", () => {
    const { forward, lines, link, log, transport } = setup()
    log("early")
    forward.open(link, "Warn")
    log("late")
    transport.settle()
    assert.deepStrictEqual(lines(), [])
  })

  it("sends all waiting lines when it closes, even if the connection is congested", () => {
    const { forward, lines, link, log, transport } = setup()
    forward.open(link, undefined)
    transport.isCongested = true
    link.control(Kind.Pong, 0)
    transport.settle()
    log("last")
    forward.close()
    link.endSession()
    assert.deepStrictEqual(lines(), ["last"])
  })

  it("returns the unsent lines as text, for the end of a process", () => {
    const { forward, log } = setup()
    log("never sent")
    const [text, ...more] = forward.takeUnsent()
    assert.match(String(text), /^\[.*Z\] INFO: never sent$/)
    assert.deepStrictEqual([more, forward.takeUnsent()], [[], []])
  })

  it("gives no prototype to a line of a hostile runner, however its key is hidden", () => {
    const hidden = (key: string) => JSON.parse(`{${JSON.stringify(key)}: {"isAdmin": true}}`) as unknown
    const line = { level: "Info", at: 1, message: [hidden("__proto__"), hidden("__pro\u0000to__")] }
    const [decoded] = decodeLines(Buffer.from(JSON.stringify([line]))) as ReadonlyArray<LogLine>
    for (const part of decoded!.message) assert.isUndefined((part as { readonly isAdmin?: boolean }).isAdmin)
  })
})
