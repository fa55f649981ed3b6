import { assert, describe, it } from "@effect/vitest"
import { LineBudget, rate } from "../../src/backend/LineBudget.ts"
import { lineLimit, OutputLines } from "../../src/backend/OutputLines.ts"
import { OutputTail } from "../../src/backend/OutputTail.ts"

const setup = () => {
  const logged: Array<string> = []
  let time = 0
  const lines = new OutputLines(new LineBudget(() => time), (line) => logged.push(line))
  return {
    logged,
    push: (text: string) => lines.push(Buffer.from(text)),
    end: () => lines.end(),
    pass: (millis: number) => {
      time += millis
    }
  }
}

describe("OutputLines", () => {
  it("logs each line when the line ends, however the output is cut into chunks", () => {
    const { end, logged, push } = setup()
    push("one\ntw")
    push("o\r\n\n\nthr")
    assert.deepStrictEqual(logged, ["one", "two"])
    push("ee")
    end()
    assert.deepStrictEqual(logged, ["one", "two", "three"])
  })

  it("joins a character that two chunks share", () => {
    const logged: Array<string> = []
    const lines = new OutputLines(new LineBudget(), (line) => logged.push(line))
    for (const byte of Buffer.from("größe\n")) lines.push(Buffer.of(byte))
    assert.deepStrictEqual(logged, ["größe"])
  })

  it("cuts a long line and continues with the next line", () => {
    const { logged, push } = setup()
    for (let i = 0; i < 10; i++) push("x".repeat(lineLimit / 4))
    push("\nnext\n")
    assert.deepStrictEqual(logged, [`${"x".repeat(lineLimit)}... (cut at ${lineLimit} bytes)`, "next"])
  })

  it("drops lines over the limit, reports their number, and recovers", () => {
    const { end, logged, pass, push } = setup()
    push("flood\n".repeat(100_000))
    const first = logged.length
    assert.isAtMost(first, rate)
    assert.isAtLeast(first, rate * 0.9)
    push(`${"flood\n".repeat(1000)}half a l`)
    assert.strictEqual(logged.length, first)
    pass(1000)
    push("ine\nnext\n")
    assert.deepStrictEqual(logged.slice(first), [
      `(${(101_000 - first) * "flood\n".length} bytes of output were left out here: more than ${rate} lines a second)`,
      "half a line",
      "next"
    ])
    push("flood\n".repeat(2000))
    end()
    assert.match(logged.at(-1)!, /^\(\d+ bytes of output were left out here/)
  })

  it("keeps at most one line of a flood without line breaks", () => {
    const { end, logged, push } = setup()
    for (let i = 0; i < 1000; i++) push("x".repeat(65_536))
    end()
    assert.strictEqual(logged.length, 1)
  })
})

describe("OutputTail", () => {
  const of = (...chunks: ReadonlyArray<string>) => {
    const tail = new OutputTail()
    for (const chunk of chunks) tail.push(Buffer.from(chunk))
    return tail
  }

  it("keeps a short output whole, without colours", () => {
    assert.strictEqual(of("\u001b[31mError\u001b[39m: no\n", "  at x\n").text(), "Error: no\n  at x")
    assert.strictEqual(of().text(), "")
  })

  it("keeps the last twenty lines", () => {
    const lines = Array.from({ length: 100 }, (_, i) => `line ${i}`)
    assert.strictEqual(of(`${lines.join("\n")}\n`).text(), lines.slice(-20).join("\n"))
  })

  it("keeps the last 8 KiB, and no half line", () => {
    const lines = Array.from({ length: 100 }, (_, i) => `${i} ${"x".repeat(1000)}`)
    assert.strictEqual(of(...lines.map((line) => `${line}\n`)).text(), lines.slice(-8).join("\n"))
    assert.strictEqual(of(`${lines.join("\n")}\n`).text(), lines.slice(-8).join("\n"))
  })

  it("finds a text that precedes the kept lines, across chunks", () => {
    const tail = of("JavaScript heap out ", "of memory\n", "native frame\n".repeat(50))
    assert.isTrue(tail.includes("heap out of memory"))
    assert.notInclude(tail.text(), "heap out of memory")
    assert.isFalse(of("fine\n").includes("heap out of memory"))
  })

  it("stays small when the chunks are small", () => {
    const tail = of(...Array.from({ length: 5000 }, () => "x\n"))
    assert.strictEqual(tail.text(), Array.from({ length: 20 }, () => "x").join("\n"))
  })
})
