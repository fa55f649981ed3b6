import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as KubeAnswer from "../../../src/kubernetes/api/KubeAnswer.ts"
import { KubeError } from "../../../src/kubernetes/api/KubeError.ts"
import { Lines } from "../../../src/kubernetes/api/KubeLines.ts"
import * as KubePace from "../../../src/kubernetes/api/KubePace.ts"
import { pause, retrying } from "../../../src/kubernetes/api/KubeRetry.ts"

const asked = { verb: "create", resource: "pods" }

const answer = (status: number, body: unknown, retryAfter?: string): KubeError =>
  KubeAnswer.refused(asked, { status, retryAfter, body: typeof body === "string" ? body : JSON.stringify(body) }, 1000)

describe("an answer of the API server", () => {
  it("is reported with the server's reason, message, fields and name", () => {
    const error = answer(422, {
      reason: "Invalid",
      message: "Pod is invalid",
      details: { name: "a", causes: [{ field: "spec.containers[0].image" }, { message: "no field" }] }
    })
    assert.deepInclude(error, {
      status: 422,
      reason: "Invalid",
      detail: "Pod is invalid",
      name: "a",
      fields: ["spec.containers[0].image"],
      retryable: false
    })
    assert.strictEqual(error.message, "the Kubernetes API did not create pods (422 Invalid): Pod is invalid")
  })

  it("that is no Status is still reported", () => {
    assert.deepInclude(answer(502, "<html>bad\n gateway</html>"), {
      reason: "BadGateway",
      detail: "<html>bad gateway</html>"
    })
    assert.strictEqual(answer(418, "").reason, "Code418")
    assert.strictEqual(answer(500, "x".repeat(10_000)).detail.length, 501)
  })

  it("is known as one that may be worth a retry", () => {
    const conflict = { message: 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified' }
    const again = [answer(429, {}), answer(500, {}), answer(503, {}), answer(504, {}), answer(409, conflict)]
    const never = [400, 401, 403, 404, 409, 410, 422, 501, 505].map((code) => answer(code, {}))
    assert.isTrue(again.every(({ retryable }) => retryable))
    assert.isFalse(never.some(({ retryable }) => retryable))
  })

  it("says how long to wait: in seconds, by a date, or in its body", () => {
    assert.strictEqual(answer(429, {}, "2").retryAfter, 2000)
    assert.strictEqual(answer(429, {}, "Thu, 01 Jan 1970 00:00:05 GMT").retryAfter, 4000)
    assert.strictEqual(answer(429, { details: { retryAfterSeconds: 3 } }).retryAfter, 3000)
    assert.isUndefined(answer(429, {}, "soon").retryAfter)
    assert.isUndefined(answer(429, {}).retryAfter)
  })

  it("with an untrusted certificate is not retried", () => {
    const broken = (code: string) => KubeAnswer.broken(asked, "https://api", Object.assign(new Error(code), { code }))
    assert.deepInclude(broken("ECONNRESET"), { reason: "Unreachable", retryable: true })
    assert.deepInclude(broken("DEPTH_ZERO_SELF_SIGNED_CERT"), { reason: "Untrusted", retryable: false })
    assert.deepInclude(broken("ERR_TLS_CERT_ALTNAME_INVALID"), { reason: "Untrusted", retryable: false })
  })
})

const failing = (retryAfter?: number) =>
  new KubeError({
    ...asked,
    reason: "Unreachable",
    detail: "",
    retryable: true,
    ...(retryAfter === undefined ? {} : { retryAfter })
  })

describe("a retry", () => {
  it("comes after a pause that grows to 5 s, and not before the time that the server asks for", () => {
    assert.deepStrictEqual(
      [1, 2, 3, 10].map((failures) => pause(failures, undefined, 0)),
      [100, 200, 400, 2500]
    )
    assert.deepStrictEqual(
      [1, 2, 3, 10].map((failures) => pause(failures, undefined, 1)),
      [200, 400, 800, 5000]
    )
    assert.strictEqual(pause(1, 3000, 0), 3000)
    assert.strictEqual(pause(1, 3000, 1), 3750)
    assert.strictEqual(pause(10, 1000, 1), 5000)
  })

  it.effect("is repeated until it succeeds", () =>
    Effect.gen(function* () {
      let tries = 0
      const fiber = yield* Effect.forkChild(
        retrying(30_000, () => Effect.suspend(() => (++tries < 4 ? Effect.fail(failing()) : Effect.succeed(tries))))
      )
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 4)
    })
  )

  it.effect("is not made if it would start too late, or cannot help", () =>
    Effect.gen(function* () {
      const lefts: Array<number> = []
      const fiber = yield* Effect.forkChild(
        Effect.exit(
          retrying(10_000, (left) => {
            lefts.push(left)
            return Effect.fail(failing(4000))
          })
        )
      )
      yield* TestClock.adjust("1 minute")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
      // At 0, after 4 to 5 s, and after 8 to 10 s.
      assert.isAtLeast(lefts.length, 2)
      assert.isAtMost(lefts.length, 3)
      assert.strictEqual(lefts[0], 10_000)
      assert.isTrue(lefts.every((left, index) => left > 0 && left <= 10_000 - 4000 * index))
      let tries = 0
      yield* Effect.flip(
        retrying(10_000, () => {
          tries++
          return Effect.fail(answer(403, {}))
        })
      )
      assert.strictEqual(tries, 1)
    })
  )
})

describe("the rate of creates", () => {
  it.effect("is 20 at once, then 10 a second, in order; a create that is given up makes room", () =>
    Effect.gen(function* () {
      const pace = KubePace.make({ rate: 10, burst: 20 })
      const order: Array<number> = []
      const fibers = yield* Effect.forEach(Array.from({ length: 40 }).keys(), (index) =>
        Effect.forkChild(
          Effect.andThen(
            pace.take,
            Effect.sync(() => void order.push(index))
          ),
          {
            startImmediately: true
          }
        )
      )
      assert.strictEqual(order.length, 20)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(order.length, 25)
      yield* Effect.forEach(fibers.slice(30), Fiber.interrupt)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(order, [...Array.from({ length: 30 }).keys()])
      yield* TestClock.adjust("10 seconds")
      for (let taken = 0; taken < 20; taken++) yield* pace.take
      const late = yield* Effect.forkChild(pace.take, { startImmediately: true })
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(late)
    })
  )
})

describe("the lines of a watch", () => {
  it("are the same however they are cut, also inside characters of several bytes", () => {
    const text = `{"a":"ä€😀"}\n\n{"b":2}\r\n{"c":3}\n`
    const bytes = Buffer.from(text)
    for (let size = 1; size <= bytes.length; size++) {
      const lines = new Lines()
      const found: Array<unknown> = []
      for (let from = 0; from < bytes.length; from += size) {
        for (const line of lines.push(bytes.subarray(from, from + size))) found.push(JSON.parse(line))
      }
      assert.deepStrictEqual(found, [{ a: "ä€😀" }, { b: 2 }, { c: 3 }])
      assert.strictEqual(lines.size, 0)
    }
  })

  it("report the length of the unfinished line", () => {
    const lines = new Lines()
    assert.deepStrictEqual(lines.push(Buffer.from("abc\nde")), ["abc"])
    assert.strictEqual(lines.size, 2)
    lines.push(Buffer.from("fgh"))
    assert.strictEqual(lines.size, 5)
  })
})
