import { assert, describe, it } from "@effect/vitest"
import { createHash, randomBytes } from "node:crypto"
import { zstdCompressSync, zstdDecompressSync } from "node:zlib"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { Code } from "../../src/code/PreparedCode.ts"
import { creditWindow } from "../../src/code/CodeExchange.ts"
import { sendCode } from "../../src/code/SendCode.ts"
import { encode, json, Kind } from "../../src/wire/Frame.ts"
import { Parser } from "../../src/wire/FrameParser.ts"
import { memoryPair } from "../../src/wire/Transport.ts"

const codeOf = (packed: Buffer): Code => ({
  hash: createHash("sha256").update(packed).digest("hex"),
  size: packed.length,
  sent: zstdCompressSync(packed),
  onDisk: false,
  made: "for a test",
  took: 0,
  variables: []
})

const number = (value: number) => {
  const body = Buffer.alloc(4)
  body.writeUInt32BE(value, 0)
  return body
}

/** A parent that sends code, and the other end of its connection. */
const exchange = (code: Code) => {
  const [ours, theirs] = memoryPair()
  const frames: Array<{ readonly kind: number; readonly body: Buffer }> = []
  let isClosed = false
  const parser = new Parser({
    frame: (kind, _id, body) => void frames.push({ kind, body: Buffer.from(body) }),
    part: () => assert.fail("a part"),
    violation: (detail) => assert.fail(detail)
  })
  theirs.start({ data: (chunk) => parser.push(chunk), drained: () => {}, closed: () => (isClosed = true) })
  return {
    theirs,
    sending: Effect.forkChild(Effect.result(sendCode(ours, code)), { startImmediately: true }),
    say: (kind: Kind, body: Buffer) => theirs.write([encode(kind, 0, body)]),
    frames,
    parts: () => Buffer.concat(frames.filter(({ kind }) => kind === Kind.CodePart).map(({ body }) => body)),
    isClosed: () => isClosed
  }
}

const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe("the code of a runner", () => {
  it.effect("is sent as far as the runner's credit allows, and the session follows on the same connection [C250]", () =>
    Effect.gen(function* () {
      const packed = randomBytes(3 * creditWindow)
      const code = codeOf(packed)
      const { frames, parts, say, sending } = exchange(code)
      const fiber = yield* sending
      yield* settled
      assert.lengthOf(frames, 0, "nothing is sent before it is asked for")
      say(Kind.AskCode, json({ hash: code.hash, node: "24.0.0" }))
      yield* settled
      assert.deepStrictEqual(JSON.parse(frames[0]!.body.toString()), { size: code.size, sent: code.sent.length })
      assert.strictEqual(parts().length, 0)
      say(Kind.CodeCredit, number(creditWindow))
      yield* settled
      assert.strictEqual(parts().length, creditWindow)
      say(Kind.CodeCredit, number(code.sent.length))
      yield* settled
      assert.deepStrictEqual(zstdDecompressSync(parts()), packed)
      // Hello arrives before the session has been started.
      say(Kind.CodeKept, json({}))
      say(Kind.Hello, json({ hello: 1 }))
      const result = yield* Fiber.join(fiber)
      assert.strictEqual(result._tag, "Success")
      if (result._tag === "Failure") return
      yield* settled
      const seen: Array<Buffer> = []
      result.success.start({ data: (chunk) => seen.push(Buffer.from(chunk)), drained: () => {}, closed: () => {} })
      assert.deepStrictEqual(Buffer.concat(seen), encode(Kind.Hello, 0, json({ hello: 1 })))
    })
  )

  const refused = (title: string, say: (code: Code) => ReadonlyArray<Buffer>, tag: string, words: RegExp) =>
    it.effect(title, () =>
      Effect.gen(function* () {
        const code = codeOf(Buffer.from("code"))
        const { frames, isClosed, sending, theirs } = exchange(code)
        const fiber = yield* sending
        theirs.write(say(code))
        const result = yield* Fiber.join(fiber)
        yield* settled
        assert.strictEqual(result._tag, "Failure")
        if (result._tag === "Success") return
        assert.strictEqual(result.failure._tag, tag)
        assert.match(result.failure.message, words)
        assert.strictEqual(frames.at(-1)?.kind, Kind.Refuse, "the runner hears why")
        assert.isTrue(isClosed())
      })
    )

  const ask = (hash: string) => encode(Kind.AskCode, 0, json({ hash, node: "24.0.0" }))

  refused(
    "is refused to a runner that asks for another hash, and no byte is sent [C251]",
    () => [ask("abc")],
    "CodeMismatch",
    /started for code abc, but its parent has/
  )
  refused(
    "is refused to a runner that asks twice [C252]",
    ({ hash }) => [ask(hash), ask(hash)],
    "NotARunner",
    /asked for its code twice/
  )
  refused(
    "is refused to a peer that sends Hello instead of a request [C252]",
    () => [encode(Kind.Hello, 0, json({}))],
    "NotARunner",
    /sent Hello where its code comes first/
  )

  it.effect(
    "that does not arrive fails the boot with the step it had reached, after the backend could report the cause [C253]",
    () =>
      Effect.gen(function* () {
        const code = codeOf(randomBytes(100_000))
        const { say, sending, theirs } = exchange(code)
        const fiber = yield* sending
        say(Kind.AskCode, json({ hash: code.hash, node: "24.0.0" }))
        say(Kind.CodeCredit, number(50_000))
        yield* settled
        theirs.destroy()
        yield* settled
        yield* TestClock.adjust("1 second")
        const result = yield* Fiber.join(fiber)
        assert.match(
          result._tag === "Failure" ? result.failure.message : "",
          /to get its code, after 50000 of 100\d+ bytes/
        )
      })
  )

  it.effect("that cannot run fails the boot with the cause that the runner reports [C254]", () =>
    Effect.gen(function* () {
      const { say, sending } = exchange(codeOf(Buffer.from("code")))
      const fiber = yield* sending
      say(Kind.Fail, json({ _tag: "CodeUnresolved", specifier: "sharp", directory: "/app", detail: "not found" }))
      const result = yield* Fiber.join(fiber)
      assert.match(result._tag === "Failure" ? result.failure.message : "", /does not find sharp.*below \/app/)
    })
  )
})
