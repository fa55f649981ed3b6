import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Flame from "../../../src/Flame.ts"
import * as FlameRunner from "../../../src/FlameRunner.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { luggage, Tenant } from "./functions.ts"
import { pass, poolTest, settle, start, value } from "./harness.ts"

describe("the data that a call sends along", () => {
  poolTest("is empty when everything has its default", {}, function* () {
    assert.deepStrictEqual(yield* Flame.call(luggage), {
      pool: Pool.key,
      parent: "this process",
      remaining: undefined,
      annotations: {},
      level: "Info",
      tenant: "nobody"
    })
  })

  poolTest(
    "includes the remaining budget, less the time spent on waiting and booting",
    { before: (faults) => faults.delayBoots("4 seconds") },
    function* () {
      const call = yield* start(Flame.call(luggage, undefined, { timeout: "10 seconds" }))
      yield* pass("4 seconds")
      assert.strictEqual((yield* value(call)).remaining, 6_000)
    }
  )

  const waits = Flame.fn("waits", { success: Schema.Array(Schema.UndefinedOr(Schema.Number)) }, () =>
    Effect.gen(function* () {
      const current = yield* FlameRunner.Current
      const before = current.remaining
      yield* Effect.sleep("3 seconds")
      return [before, current.remaining]
    })
  )
  poolTest("includes a budget that keeps shrinking while the function runs", { serve: [waits] }, function* () {
    const call = yield* start(Flame.call(waits, undefined, { timeout: "10 seconds" }))
    yield* pass("3 seconds")
    assert.deepStrictEqual(yield* value(call), [10_000, 7_000])
  })

  poolTest("includes no budget for a call with infinite timeout", { timeout: "1 second" }, function* () {
    assert.isUndefined((yield* Flame.call(luggage, undefined, { timeout: "Infinity" })).remaining)
  })

  poolTest("includes log annotations, the minimum log level, and propagated References", {}, function* () {
    const call = Flame.call(luggage).pipe(
      Effect.annotateLogs({ request: "r1", user: "u1" }),
      Effect.provideService(References.MinimumLogLevel, "Debug"),
      Effect.provideService(Tenant, "acme")
    )
    assert.deepInclude(yield* call, { annotations: { request: "r1", user: "u1" }, level: "Debug", tenant: "acme" })
    // The next call of the same runner has none of them.
    assert.deepInclude(yield* Flame.call(luggage), { annotations: {}, level: "Info", tenant: "nobody" })
  })

  poolTest("is the same for a cast", {}, function* ({ logs }) {
    yield* Effect.annotateLogs(Flame.cast(luggage), { request: "r1" })
    yield* settle
    assert.deepStrictEqual(logs, [])
  })

  poolTest("excludes annotations that would not fit, and the call succeeds", {}, function* () {
    const crowded = Effect.annotateLogs(Flame.call(luggage), { note: "x".repeat(100_000) })
    assert.deepStrictEqual((yield* crowded).annotations, { "flame.dropped": "note" })
    const circular: Record<string, unknown> = {}
    circular.self = circular
    assert.deepStrictEqual((yield* Effect.annotateLogs(Flame.call(luggage), { circular })).annotations, {
      "flame.dropped": "circular"
    })
    assert.deepStrictEqual((yield* Effect.annotateLogs(Flame.call(luggage), { big: 1n })).annotations, { big: "1n" })
  })

  poolTest("is each caller's own when many call at once", { concurrency: 10, max: 2 }, function* () {
    const calls = yield* Effect.forEach(
      Array.from({ length: 50 }, (_, i) => `tenant ${i}`),
      (tenant) => Effect.map(Effect.provideService(Flame.call(luggage), Tenant, tenant), (_) => [tenant, _.tenant]),
      { concurrency: "unbounded" }
    )
    for (const [mine, seen] of calls) assert.strictEqual(seen, mine)
  })

  const spanned = Flame.fn(
    "spanned",
    { success: Schema.Struct({ traceId: Schema.String, name: Schema.String, parent: Schema.String }) },
    () =>
      Effect.map(Effect.orDie(Effect.currentSpan), (span) => ({
        traceId: span.traceId,
        name: span.name,
        parent: Option.match(span.parent, { onNone: () => "", onSome: ({ spanId }) => spanId })
      }))
  )
  poolTest(
    "includes the trace when a tracer is installed, so the function's span is in the caller's trace",
    { serve: [spanned], tracer: true },
    function* ({ spans }) {
      const inside = yield* Effect.withSpan(Flame.call(spanned), "request")
      const [request, call] = [
        spans.find(({ name }) => name === "request"),
        spans.find(({ name }) => name === "Flame.call")
      ]
      assert.strictEqual(inside.traceId, request?.traceId)
      assert.strictEqual(inside.name, "spanned.run")
      assert.strictEqual(inside.parent, call?.spanId)
      assert.deepInclude(Object.fromEntries(call!.attributes), { "flame.function": "spanned", "flame.pool": Pool.key })
      assert.isTrue(spans.every(({ status }) => status._tag === "Ended"))
    }
  )

  poolTest("includes no trace without a tracer", { serve: [spanned, luggage] }, function* ({ spans }) {
    yield* Effect.withSpan(Flame.call(luggage), "request")
    assert.deepStrictEqual(spans, [])
  })
})
