import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Redacted from "effect/Redacted"
import { decodeDefect, encodeDefect } from "../../src/function/DefectCodec.ts"

const sent = (defect: unknown) => decodeDefect(encodeDefect(defect))
const nothing = { stack: "" }

describe("DefectCodec", () => {
  it("carries name, message and stack of an error", () => {
    const error = new TypeError("x is not a function")
    assert.deepStrictEqual(sent(error), { name: "TypeError", message: "x is not a function", stack: error.stack })
  })

  it("carries tagged errors with their tag", () => {
    class Broken extends Data.TaggedError("Broken")<{ readonly part: string }> {
      override get message() {
        return `the ${this.part} is broken`
      }
    }
    const { message, name, stack } = sent(new Broken({ part: "lid" }))
    assert.deepStrictEqual([name, message], ["Broken", "the lid is broken"])
    assert.match(stack, /DefectCodec\.test/)
  })

  it("carries a defect that is not an Error as its type and content", () => {
    assert.deepStrictEqual(sent("no"), { name: "string", message: "no", ...nothing })
    assert.deepStrictEqual(sent(404), { name: "number", message: "404", ...nothing })
    assert.deepStrictEqual(sent(10n), { name: "bigint", message: "10n", ...nothing })
    assert.deepStrictEqual(sent(null), { name: "null", message: "null", ...nothing })
    assert.deepStrictEqual(sent(undefined), { name: "undefined", message: "undefined", ...nothing })
    assert.deepStrictEqual(sent(Symbol("why")), { name: "symbol", message: "Symbol(why)", ...nothing })
    assert.deepStrictEqual(sent({ code: 3 }), { name: "Object", message: "{ code: 3 }", ...nothing })
    assert.deepStrictEqual(sent(["a"]), { name: "Array", message: "[ 'a' ]", ...nothing })
    assert.deepStrictEqual(sent(new Map([["a", 1n]])), { name: "Map", message: "Map(1) { 'a' => 1n }", ...nothing })
    assert.deepStrictEqual(sent(Object.create(null)), {
      name: "Object",
      message: "[Object: null prototype] {}",
      ...nothing
    })
    assert.notInclude(JSON.stringify(sent({ key: Redacted.make("hunter2") })), "hunter2")
  })

  it("appends the stacks of causes, of several causes too, and stops at a cycle", () => {
    const root = new Error("disk full")
    const middle = new Error("cannot write", { cause: root })
    const { stack } = sent(new Error("cannot save", { cause: middle }))
    assert.match(stack, /^Error: cannot save\n[^]*\ncaused by Error: cannot write\n[^]*\ncaused by Error: disk full\n/)
    const many = sent(new AggregateError([new Error("one"), "two", { n: 3 }], "all")).stack
    assert.match(many, /^AggregateError: all\n[^]*\ncaused by Error: one\n[^]*\ncaused by two\ncaused by \{ n: 3 \}$/)
    root.cause = middle
    assert.strictEqual(sent(middle).stack.match(/caused by/g)?.length, 1)
  })

  it("keeps a message in one line and a stack in several, without characters that rewrite a terminal", () => {
    const error = new Error("a\nb\r\n  c\u0000d\u001b[31mred\u001b[0m\u202eflip\u2028end\u0085")
    error.stack = "Error: \u001b[1mx\u0007\n\tat y\r\n    at z"
    assert.deepStrictEqual(sent(error), {
      name: "Error",
      message: "a b cdredflipend",
      stack: "Error: x\n  at y\n    at z"
    })
  })

  it("is bounded, however large the defect", () => {
    const error = new Error("m".repeat(1e6), { cause: new Error("c".repeat(1e6)) })
    error.name = "n".repeat(1e6)
    error.stack = "s".repeat(1e6)
    const { message, name, stack } = sent(error)
    assert.deepStrictEqual([name.length, message.length], [200, 16_384])
    assert.isAtMost(stack.length, 16_384)
    assert.match(stack, /^s+\ncaused by Error: c+/)
    assert.isBelow(encodeDefect(Array.from({ length: 1e5 }, (_, i) => `item ${i}`)).length, 20_000)
    assert.isBelow(encodeDefect("x".repeat(1e6)).length, 20_000)
  })

  const hostile: Record<string, unknown> = {
    "a proxy whose traps throw": new Proxy(
      {},
      {
        get: () => {
          throw new Error("trap")
        },
        has: () => {
          throw new Error("trap")
        },
        getPrototypeOf: () => {
          throw new Error("trap")
        },
        ownKeys: () => {
          throw new Error("trap")
        }
      }
    ),
    "a revoked proxy": (() => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    })(),
    "getters that throw": {
      get message() {
        throw new Error("getter")
      },
      get stack() {
        throw new Error("getter")
      }
    },
    "an error whose stack throws": Object.defineProperty(new Error("x"), "stack", {
      get: () => {
        throw new Error("getter")
      }
    }),
    "an error of odd parts": Object.assign(new Error("x"), { name: Symbol("n"), stack: 3, cause: 10n, errors: [null] }),
    "an object that refers to itself": (() => {
      const self: Record<string, unknown> = {}
      self["self"] = self
      return self
    })(),
    "an object that cannot be printed": {
      toString: () => {
        throw new Error("toString")
      },
      toJSON: () => {
        throw new Error("toJSON")
      },
      [Symbol.for("nodejs.util.inspect.custom")]: () => {
        throw new Error("inspect")
      }
    },
    "a function": function named() {},
    "a class": Map,
    "half a surrogate pair": "\ud800",
    "errors that are no array": Object.assign(new Error("x"), { errors: { length: 1e9 } }),
    "a revoked proxy as cause": (() => {
      const { proxy, revoke } = Proxy.revocable([], {})
      revoke()
      return new Error("x", { cause: proxy })
    })(),
    "a revoked proxy as errors": (() => {
      const { proxy, revoke } = Proxy.revocable([], {})
      revoke()
      return Object.assign(new Error("x"), { errors: proxy })
    })()
  }
  it.each(Object.entries(hostile))("never throws: %s", (_, defect) => {
    const { message, name } = sent(defect)
    assert.isAbove(name.length, 0)
    assert.isString(message)
  })

  it("reads any bytes, with a bounded result", () => {
    const unreadable = { name: "Error", message: "the defect that the runner sent cannot be read", stack: "" }
    for (const bytes of ["", "{", "null", "\u00ff"]) {
      assert.deepStrictEqual(decodeDefect(Buffer.from(bytes, "latin1")), unreadable)
    }
    const large = { name: 3, message: "m".repeat(1e6), stack: "\u001b[2Jx" }
    const { message, name, stack } = decodeDefect(Buffer.from(JSON.stringify(large)))
    assert.deepStrictEqual([name, message.length, stack], ["Error", 16_384, "x"])
  })
})
