import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { decodeLines } from "../../src/wire/LogsReceived.ts"
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
  /** Lines and gaps of all Logs frames so far. */
  const lines = () =>
    framesOf(Buffer.concat(transport.writes))
      .filter(({ kind }) => kind === Kind.Logs)
      .flatMap(({ body }) => decodeLines(body) as ReadonlyArray<LogLine | number>)
      .map((line) => (typeof line === "number" ? line : line.message.join(" ")))
  return { forward, lines, link, log, transport }
}

describe("LogForward", () => {
  it("keeps what is logged before there is a parent, and sends it then", () => {
    const { forward, lines, link, log, transport } = setup()
    log("early")
    transport.settle()
    assert.deepStrictEqual(lines(), [])
    forward.open(link, undefined)
    transport.settle()
    assert.deepStrictEqual(lines(), ["early"])
    assert.deepStrictEqual(forward.takeUnsent(), [])
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

  it("sends nothing while the connection is congested, loses the oldest lines of too many, and says how many", () => {
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

  it("is bounded by size as well", () => {
    const { forward, lines, link, log, transport } = setup()
    for (let i = 0; i < 200; i++) log(`${i} ${"x".repeat(8_000)}`)
    forward.open(link, undefined)
    transport.settle()
    const [dropped, ...rest] = lines()
    assert.strictEqual(Number(dropped) + rest.length, 200)
    assert.isBelow(rest.join("").length, 512 * 1024)
    assert.match(String(rest.at(-1)), /^199 /)
  })

  it("leaves out what the parent does not want, also of what came before it said so", () => {
    const { forward, lines, link, log, transport } = setup()
    log("early")
    forward.open(link, "Warn")
    log("late")
    transport.settle()
    assert.deepStrictEqual(lines(), [])
  })

  it("sends all that waits when it closes, congested or not", () => {
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

  it("gives what is unsent as text, for the end of a process", () => {
    const { forward, log } = setup()
    log("never sent")
    const [text, ...more] = forward.takeUnsent()
    assert.match(String(text), /^\[.*Z\] INFO: never sent$/)
    assert.deepStrictEqual([more, forward.takeUnsent()], [[], []])
  })

  it("gives a line of a hostile runner no prototype, however the key is hidden", () => {
    const hidden = (key: string) => JSON.parse(`{${JSON.stringify(key)}: {"isAdmin": true}}`) as unknown
    const line = { level: "Info", at: 1, message: [hidden("__proto__"), hidden("__pro\u0000to__")] }
    const [decoded] = decodeLines(Buffer.from(JSON.stringify([line]))) as ReadonlyArray<LogLine>
    for (const part of decoded!.message) assert.isUndefined((part as { readonly isAdmin?: boolean }).isAdmin)
  })
})
