import { assert, describe, it } from "@effect/vitest"
import { decodeLines } from "../../src/wire/LogLineDecoding.ts"
import { encodeLine, type LogLine, logsLimit, takeFrame } from "../../src/wire/LogLine.ts"

const line = (message: ReadonlyArray<unknown>, more: Partial<LogLine> = {}): LogLine => ({
  level: "Info",
  at: 1_700_000_000_000,
  message,
  ...more
})

const sent = (...lines: ReadonlyArray<LogLine>) => decodeLines(takeFrame(lines.map(encodeLine), 0))

describe("encodeLine", () => {
  it("keeps all fields of a line", () => {
    const whole = line(["hello", { a: [1, null] }], {
      annotations: { job: 7 },
      spans: [["work", 1_699_999_999_990]],
      cause: "Error: no\n    at x",
      function: "f",
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331"
    })
    assert.deepStrictEqual(sent(whole), [whole])
  })

  it("writes values that JSON cannot hold as text", () => {
    const error = new Error("broken")
    const [read] = sent(line([1n, () => 1, Symbol("s"), error])) as ReadonlyArray<LogLine>
    assert.deepStrictEqual(read?.message, ["1n", "() => 1", "Symbol(s)", error.stack?.replaceAll("\t", "  ")])
  })

  it.each([
    [
      "circular",
      (() => {
        const ring: Record<string, unknown> = {}
        return (ring["self"] = ring)
      })()
    ],
    [
      "hostile",
      {
        toJSON: () => {
          throw new Error("no")
        },
        toString: () => {
          throw new Error("no")
        }
      }
    ],
    ["large", "x".repeat(100_000)],
    ["large and wide", "\u{1f600}".repeat(100_000)],
    ["large and full of control characters", "\u0001".repeat(100_000)]
  ])("makes a small line of a value that is %s", (_, value) => {
    const text = encodeLine(line([value], { annotations: { value }, cause: "c".repeat(50_000) }))
    assert.isAtMost(Buffer.byteLength(text), logsLimit)
    assert.isArray(decodeLines(takeFrame([text], 0)))
  })
})

describe("takeFrame", () => {
  it("takes as many lines as fit, in order, and says how many are missing before them", () => {
    const lines = Array.from({ length: 100 }, (_, i) => encodeLine(line([`${i} ${"x".repeat(1_000)}`])))
    const frames = []
    while (lines.length > 0) frames.push(takeFrame(lines, frames.length === 0 ? 1_000_000 : 0))
    assert.isAbove(frames.length, 5)
    for (const frame of frames) assert.isAtMost(frame.length, logsLimit)
    const read = frames.flatMap((frame) => decodeLines(frame) as ReadonlyArray<LogLine | number>)
    assert.strictEqual(read.length, 101)
    assert.strictEqual(read[0], 1_000_000)
    assert.strictEqual((read[100] as LogLine).message[0], `99 ${"x".repeat(1_000)}`)
  })
})

describe("decode", () => {
  it("removes characters that could rewrite a line or a terminal, at any depth", () => {
    const evil = "a\u001b[2Jb\rc\u202e"
    const [read] = sent(
      line([evil, { [evil]: [evil] }], {
        annotations: { [evil]: evil },
        cause: evil,
        function: evil,
        spans: [[evil, 1]]
      })
    )
    assert.notMatch(JSON.stringify(read), /\\u001b|\\r|\u202e/)
  })

  it("cuts values that are nested too deep for a logger, and keeps `__proto__` a plain key", () => {
    const deep = "[".repeat(5_000) + "]".repeat(5_000)
    const read = decodeLines(Buffer.from(`[{"level":"Info","at":1,"message":[${deep},{"__proto__":{"x":1}}]}]`))
    assert.isArray(read)
    const [{ message } = line([])] = read as ReadonlyArray<LogLine>
    assert.isBelow(JSON.stringify(message[0]).length, 50)
    assert.deepStrictEqual(message[1], {})
  })

  it.each([
    "",
    "no json",
    "{}",
    "[-1]",
    "[1.5]",
    "[null]",
    "[{}]",
    '[{"level":"Loud","at":1,"message":[]}]',
    '[{"level":"All","at":1,"message":[]}]',
    '[{"level":"Info","at":1e99,"message":[]}]',
    '[{"level":"Info","at":1,"message":"text"}]',
    '[{"level":"Info","at":1,"message":[],"annotations":[]}]',
    '[{"level":"Info","at":1,"message":[],"spans":[["a"]]}]',
    '[{"level":"Info","at":1,"message":[],"cause":1}]'
  ])("refuses %s", (text) => {
    assert.isString(decodeLines(Buffer.from(text)))
  })

  it("refuses a frame that is too large before it reads it, and drops invalid ids", () => {
    assert.match(decodeLines(Buffer.alloc(logsLimit + 1)) as string, /the limit is 16384/)
    assert.deepStrictEqual(sent(line(["a"], { traceId: "x".repeat(32), spanId: "b7ad6b7169203331" })), [line(["a"])])
  })
})
