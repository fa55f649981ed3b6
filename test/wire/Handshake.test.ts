import { assert, describe, it } from "@effect/vitest"
import * as BootFailures from "../../src/error/BootFailure.ts"
import { type BootFailure, NotARunner, VersionMismatch } from "../../src/error/BootFailure.ts"
import { OutOfMemory } from "../../src/error/RunnerExit.ts"
import { fail, json, protocol } from "../../src/wire/Frame.ts"
import { checkHello, decodeFailure, decodeWelcome } from "../../src/wire/Handshake.ts"
import { framesOf, withSeeds, int, noise } from "./kit.ts"

const expected = { runner: "r1", life: "life-1", fingerprints: new Map([["double", "a-b-c"]]) }
const hello = {
  protocol,
  build: "build-2",
  runner: "r1",
  life: "life-1",
  functions: [
    ["double", "a-b-c"],
    ["other", "x"]
  ]
}

const check = (changes: Record<string, unknown>): unknown => checkHello(json({ ...hello, ...changes }), expected)
const checkText = (text: string) => checkHello(Buffer.from(text), expected)

describe("Hello", () => {
  it("is accepted from the expected runner, of any build, with unknown fields", () => {
    assert.deepStrictEqual(check({}), hello)
    assert.deepStrictEqual(check({ extra: { deep: [1] } }), hello)
    assert.deepStrictEqual(check({ functions: [] }), { ...hello, functions: [] })
  })

  it("of another protocol is refused with both versions, whatever its other fields", () => {
    const mismatch = new VersionMismatch({ what: "protocol", parent: String(protocol), runner: "9" })
    assert.deepStrictEqual(check({ protocol: 9 }), mismatch)
    assert.deepStrictEqual(checkText(`{"protocol":9}`), mismatch)
    assert.include(mismatch.message, `protocol differs: the parent has ${protocol}, the runner has 9`)
  })

  it("with another layout of a known function is refused with both layouts and the runner's build", () => {
    const mismatch = check({
      functions: [
        ["other", "x"],
        ["double", "a-b-d"]
      ]
    })
    assert.deepStrictEqual(
      mismatch,
      new VersionMismatch({
        what: "the schemas of double",
        parent: "layout a-b-c",
        runner: "layout a-b-d (build build-2)"
      })
    )
  })

  it("of another runner, or of another life, is refused with both ids", () => {
    const of = (runner: string, life: string) =>
      new NotARunner({ detail: `it is runner ${runner} of life ${life}, expected was r1 of life-1` })
    assert.deepStrictEqual(check({ runner: "r2" }), of("r2", "life-1"))
    assert.deepStrictEqual(check({ life: "life-0" }), of("r1", "life-0"))
  })

  it("that is not JSON, or not a Hello, is refused as NotARunner", () => {
    const none = new NotARunner({ detail: "the program that dialled back is not a runner of this library" })
    const texts = [
      "",
      "{",
      "null",
      "1",
      `"hello"`,
      "[]",
      "[1]",
      "{}",
      `{"protocol":null}`,
      `{"protocol":"1"}`,
      `{"protocol":1.5}`,
      `{"protocol":1e400}`,
      "\ufffd\u0000",
      "[".repeat(100_000)
    ]
    for (const text of texts) assert.deepStrictEqual(checkText(text), none, text.slice(0, 30))
  })

  it("with fields of wrong types is a failure, never an exception", () => {
    const wrong: ReadonlyArray<Record<string, unknown>> = [
      { build: 1 },
      { build: null },
      { runner: ["r1"] },
      { life: {} },
      { functions: null },
      { functions: "double" },
      { functions: { 0: ["double", "a-b-c"] } },
      { functions: [["double"]] },
      { functions: [["double", "a-b-c", "d"]] },
      { functions: [["double", 5]] },
      { functions: [null] },
      { functions: [{ name: "double" }] }
    ]
    for (const changes of wrong) {
      const answer = check(changes)
      assert.deepStrictEqual(
        answer,
        new NotARunner({ detail: "its Hello cannot be read here" }),
        JSON.stringify(changes)
      )
    }
  })

  it("cannot reach a prototype", () => {
    const answer = checkText(
      `{"__proto__":{"protocol":1,"polluted":true},"constructor":{"prototype":{"polluted":true}},"protocol":${protocol},"build":"b","runner":"r1","life":"life-1",
        "functions":[["__proto__","x"],["constructor","y"],["toString","z"]]}`
    )
    assert.deepStrictEqual(Object.keys(answer), ["protocol", "build", "runner", "life", "functions"])
    assert.isUndefined(({} as { readonly polluted?: boolean }).polluted)
    assert.instanceOf(checkText(`{"__proto__":{"protocol":1}}`), NotARunner)
  })

  it("puts no control characters into a log", () => {
    const evil = `\u001b[2J${"x".repeat(100_000)}\u0007\u202e`
    for (const answer of [check({ runner: evil }), check({ build: evil, functions: [["double", evil]] })]) {
      assert.isTrue(answer instanceof NotARunner || answer instanceof VersionMismatch)
      const { message } = answer as BootFailure
      assert.isBelow(message.length, 40_000)
      for (const control of ["\u0007", "\u001b", "\u202e"]) assert.notInclude(message, control)
    }
  })

  it("is accepted or refused, whatever is changed in it", () => {
    const text = json(hello)
    withSeeds(3_000, (random, seed) => {
      const bytes = Buffer.from(text)
      for (let i = int(random, 1, 4); i > 0; i--) bytes[int(random, 0, bytes.length - 1)] = int(random, 0, 255)
      const cut = random() < 0.2 ? bytes.subarray(0, int(random, 0, bytes.length)) : bytes
      const answer = checkHello(random() < 0.1 ? noise(50, seed) : cut, expected)
      assert.isTrue("_tag" in answer ? answer instanceof Error : answer.runner === "r1")
    })
  })
})

describe("Welcome", () => {
  const welcome = { cancelGrace: 1, drainTimeout: 2, maxPayload: 3, maxResult: 0 }

  it("arrives as it was sent, without further fields", () => {
    assert.deepStrictEqual(decodeWelcome(json({ ...welcome, more: 1 })), welcome)
  })

  it("is undefined if a limit is missing or not a number", () => {
    for (const key of Object.keys(welcome)) {
      for (const value of [undefined, null, "5", -1, [], {}]) {
        assert.isUndefined(decodeWelcome(json({ ...welcome, [key]: value })), `${key}: ${JSON.stringify(value)}`)
      }
    }
    for (const text of ["", "{", "null", "5", "[]"]) assert.isUndefined(decodeWelcome(Buffer.from(text)), text)
  })
})

describe("the failure in a Fail or Refuse frame", () => {
  const detail = `"quotes", ünïcode 🔥 and\nlines`
  const failures: ReadonlyArray<BootFailure> = [
    new BootFailures.ProcessExited({ code: 3, signal: null, stderr: "one\ntwo" }),
    new BootFailures.ProcessExited({ code: null, signal: "SIGKILL", stderr: "" }),
    new BootFailures.EndedEarly({ after: 20, detail }),
    new BootFailures.NotARunner({ detail }),
    new BootFailures.NotARunner({ detail, stderr: "words" }),
    new BootFailures.EntryMissing({ entry: "/app/runner.ts" }),
    new BootFailures.VersionMismatch({ what: "protocol", parent: "1", runner: "2" }),
    new BootFailures.NeverConnected({ phase: "connected", hint: detail, after: 60_000.5 }),
    new BootFailures.Crashed({ exitCode: null, detail }),
    new BootFailures.Crashed({ exitCode: 139, detail }),
    new BootFailures.ServicesFailed({ detail }),
    new BootFailures.BeforeBootFailed({ detail }),
    new BootFailures.LaunchFailed({ detail }),
    new OutOfMemory({}),
    new OutOfMemory({ limit: "512Mi" }),
    new BootFailures.ImagePull({ image: "app@sha256:0", detail }),
    new BootFailures.Unschedulable({ detail }),
    new BootFailures.QuotaExceeded({ detail }),
    new BootFailures.Forbidden({ verb: "create", resource: "pods", detail }),
    new BootFailures.InvalidSpec({ detail }),
    new BootFailures.AdmissionDenied({ by: "PodSecurity", detail }),
    new BootFailures.Removed({ detail }),
    new BootFailures.ApiUnavailable({ detail }),
    new BootFailures.ApiUnreachable({ server: "https://10.0.0.1", reason: "ENOTFOUND", detail }),
    new BootFailures.CodeUnbundled({ entry: "/app/main.ts", detail }),
    new BootFailures.CodeNative({ package: "sharp", detail }),
    new BootFailures.CodeTooLarge({ size: 70_000_000, limit: 64_000_000, largest: "main.mjs 69.0 MB" }),
    new BootFailures.CodeMismatch({ expected: "a".repeat(64), found: "b".repeat(64) }),
    new BootFailures.CodeUnresolved({ specifier: "sharp", directory: "/app", detail }),
    new BootFailures.CodeUnwritten({ directory: "/tmp", detail }),
    new BootFailures.NodeTooOld({ found: "20.20.0", needed: "22.19.0" })
  ]

  it("arrives as an instance of its class, with its message", () => {
    for (const failure of failures) {
      // Both frames in which a failure is written.
      const [frame] = framesOf(fail(failure))
      for (const body of [json(failure), frame?.body ?? Buffer.alloc(0)]) {
        const decoded = decodeFailure(body)
        assert.deepStrictEqual(decoded, failure)
        assert.strictEqual(decoded.constructor, failure.constructor)
        assert.strictEqual(decoded.message, failure.message)
      }
    }
  })

  it("is tested for every cause of BootFailure", () => {
    const tags = BootFailures.BootFailure.members.map((member) => member.fields._tag.schema.literal)
    assert.deepStrictEqual([...new Set(failures.map(({ _tag }) => _tag))].toSorted(), tags.toSorted())
  })

  it("is still a failure if it cannot be read", () => {
    const unreadable = new NotARunner({ detail: "it refused with a reason that cannot be read here" })
    const texts = [
      "",
      "{",
      "null",
      "[]",
      "{}",
      `{"_tag":"Crashed"}`,
      `{"_tag":"NoSuchCause","detail":""}`,
      `{"_tag":"NotARunner","detail":5}`,
      `{"_tag":["NotARunner"]}`,
      "[".repeat(50_000)
    ]
    for (const text of texts) assert.deepStrictEqual(decodeFailure(Buffer.from(text)), unreadable, text.slice(0, 30))
  })

  it("is bounded, and puts no control characters into a log", () => {
    const decoded = decodeFailure(
      json({ _tag: "NotARunner", detail: `\u001b[31m${"x".repeat(200_000)}`, stderr: "a\u0007b\u202ec\nd" })
    )
    assert.instanceOf(decoded, NotARunner)
    assert.isBelow(decoded.message.length, 17_000)
    assert.strictEqual(decoded.stderr, "abc\nd")
  })
})
