import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Backend } from "../../../src/backend/Backend.ts"
import * as Flame from "../../../src/Flame.ts"
import type { LocalOptions } from "../../../src/FlameLayer.ts"
import type { Pool } from "../../../src/pool/Pool.ts"
import { add, play, replay } from "../../fixtures/conformance-process/functions.ts"
import { fixture, onPool, type Scene } from "../../fixtures/conformance-process/harness.ts"
import { until } from "../../fixtures/conformance-process/patience.ts"
import { inner } from "../../fixtures/conformance-process/runner-traced.ts"
import * as Spans from "../../fixtures/conformance-process/spans.ts"

interface Exports {
  /** The spans that the exporter of this process has written. */
  readonly here: () => ReadonlyArray<Spans.SpanLine>
  /** Waits for that many spans of the runners' exporter. */
  readonly there: (count: number) => Effect.Effect<ReadonlyArray<Spans.SpanLine>>
}

const read = (file: string): ReadonlyArray<Spans.SpanLine> =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Spans.SpanLine)
    : []

/** A pool whose parent and runners export their spans, each to its own file. */
const traced = <A, E>(
  options: LocalOptions,
  body: (scene: Scene, exports: Exports) => Effect.Effect<A, E, Pool | Backend>
) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-spans-"))),
    (directory) => {
      const [here, there] = [join(directory, "parent"), join(directory, "runners")]
      const exports: Exports = {
        here: () => read(here),
        there: (count) => until(() => read(there).length >= count && read(there), `${count} spans came from runners`)
      }
      return onPool(
        { entry: fixture("runner-traced.ts"), ...options, env: { CONFORMANCE_SPANS: there, ...options.env } },
        (scene) => Effect.provide(body(scene, exports), Spans.layer(here))
      )
    },
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
  )

const named = (spans: ReadonlyArray<Spans.SpanLine>, name: string): Spans.SpanLine => {
  const found = spans.filter((span) => span.name === name)
  assert.strictEqual(found.length, 1, `one span ${name} among ${spans.map((span) => span.name).join(", ")}`)
  return found[0]!
}

describe("a traced call", () => {
  it.live(
    "has the function's span below its own, across the process boundary, and the function's inner spans below that",
    () =>
      traced({}, ({ events }, exports) =>
        Effect.gen(function* () {
          const pid = yield* Effect.withSpan(Flame.call(inner), "request")
          const [ready] = events.of("RunnerReady")
          const here = exports.here()
          const there = yield* exports.there(2)
          const request = named(here, "request")
          const call = named(here, "Flame.call")
          const run = named(there, "inner.run")
          const inside = named(there, "inside")
          assert.deepStrictEqual(
            [request.parent, call.parent, run.parent, inside.parent],
            [undefined, request.spanId, call.spanId, run.spanId]
          )
          assert.deepStrictEqual([...new Set([...here, ...there].map(({ traceId }) => traceId))], [request.traceId])
          assert.deepStrictEqual([call.pid, run.pid, inside.pid], [process.pid, pid, pid])
          assert.deepStrictEqual([call.kind, run.kind], ["client", "server"])
          const flame = { "flame.function": "inner", "flame.pool": "effect-flame/Pool", "flame.runner": ready?.runner }
          assert.deepInclude(call.attributes, flame)
          assert.deepInclude(run.attributes, { "flame.runner": ready?.runner })
        })
      )
  )

  it.live("that boots a runner has spans for its queue and for the boot with its phases", () =>
    traced({}, (_, exports) =>
      Effect.gen(function* () {
        yield* Flame.call(add, { a: 1, b: 2 })
        const here = exports.here()
        const call = named(here, "Flame.call")
        const queue = named(here, "queue")
        const boot = named(here, "boot")
        assert.deepStrictEqual([queue.parent, boot.parent], [call.spanId, call.spanId])
        // The spans lie inside the call, and the queue's span is as long as the boot, up to rounding.
        const rounded = 0.01
        for (const span of [queue, boot]) {
          assert.isAtLeast(span.start, call.start - rounded)
          assert.isAtMost(span.end, call.end + rounded)
        }
        assert.isAtLeast(queue.end - queue.start, boot.end - boot.start - rounded)
        const names = ["launched", "started", "importing", "imported", "connected", "ready"]
        const phases = Object.keys(boot.attributes).filter((name) => name.startsWith("flame.boot."))
        assert.includeMembers(
          phases,
          names.map((name) => `flame.boot.${name}_ms`)
        )
        // The phases are also events at their times, in order.
        assert.deepStrictEqual(
          boot.events.map(({ name }) => name),
          names
        )
        for (const event of boot.events) {
          assert.isAtLeast(event.at, boot.start)
          assert.isAtMost(event.at, boot.end)
        }
        assert.isAtMost(Number(boot.attributes["flame.boot.ready_ms"]), boot.end - boot.start + 5)
      })
    )
  )

  it.live("shows where its time went on its span and to its own program", () =>
    traced({}, ({ events }, exports) =>
      Effect.gen(function* () {
        const times: Array<Flame.CallTimes> = []
        yield* Flame.explain(Flame.call(inner), (one) => times.push(one))
        const [{ runner } = { runner: "" }] = events.of("RunnerReady")
        const [one] = times
        assert.deepInclude(one, { function: "inner", outcome: "succeeded", runner })
        // By time: a busy parent may note that it has launched a runner after the runner has begun to load its program.
        const steps = one?.boot.map(([step]) => step) ?? []
        assert.sameMembers(steps, ["launched", "started", "importing", "imported", "connected", "ready"])
        assert.deepStrictEqual(steps.slice(-3), ["imported", "connected", "ready"])
        const { carried = NaN, queued = NaN, ran = NaN, total = NaN } = one ?? {}
        const booted = (one?.boot ?? []).reduce((sum, [, millis]) => sum + millis, 0)
        assert.closeTo(queued + booted + carried + ran, total, 1)
        assert.isAbove(ran, 0)
        const { attributes } = named(exports.here(), "Flame.call")
        assert.strictEqual(attributes["flame.ran_ms"], ran)
        assert.closeTo(Number(attributes["flame.waited_ms"]), queued + booted, 1)
        assert.match(
          String(one),
          /^inner succeeded after \d+ ms on .*: queued .* ms, boot \d+ ms \(launched .*, imported .*\), carried .* ms, ran .* ms$/
        )
      })
    )
  )

  it.live("on a ready runner has no spans for queue and boot", () =>
    traced({ min: 1, awaitMin: true }, (_, exports) =>
      Effect.gen(function* () {
        yield* Flame.call(add, { a: 1, b: 2 })
        assert.deepStrictEqual(
          exports.here().map(({ name }) => name),
          ["Flame.call"]
        )
        named(yield* exports.there(1), "add.run")
      })
    )
  )

  it.live("that fails is marked as failed on both sides", () =>
    traced({}, (scene, exports) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(Effect.flip(Flame.call(play, { key: "a" })))
        yield* scene.stage.said("a", "started")
        yield* scene.stage.tell("a", "fail")
        yield* Fiber.join(call)
        assert.isFalse(named(exports.here(), "Flame.call").ok)
        const there = yield* exports.there(1)
        assert.isFalse(named(there, "play.run").ok)
      })
    )
  )

  it.live("that is resent has one span, with the run that ended below it", () =>
    traced({}, (scene, exports) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(Flame.call(replay, { key: "a" }))
        const first = yield* scene.stage.said("a", "started")
        process.kill(first.pid, "SIGKILL")
        const second = yield* scene.stage.said("a", "started")
        yield* scene.stage.tell("a", "return")
        assert.strictEqual(yield* Fiber.join(call), second.pid)
        const { spanId } = named(exports.here(), "Flame.call")
        const run = named(yield* exports.there(1), "replay.run")
        assert.deepStrictEqual([run.parent, run.pid], [spanId, second.pid])
      })
    )
  )

  it.live("that is not sampled leaves no span on its runner either", () =>
    traced({}, (_, exports) =>
      Effect.gen(function* () {
        yield* Effect.withSpan(Flame.call(add, { a: 1, b: 2 }), "request", { sampled: false })
        yield* Flame.call(add, { a: 3, b: 4 })
        const there = yield* exports.there(1)
        assert.deepStrictEqual(
          there.map(({ name }) => name),
          ["add.run"]
        )
        assert.deepStrictEqual(
          exports.here().map(({ name }) => name),
          ["Flame.call"]
        )
      })
    )
  )

  it.live("whose parent has no tracer starts a trace on its runner", () =>
    Effect.acquireUseRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-spans-"))),
      (directory) =>
        onPool({ entry: fixture("runner-traced.ts"), env: { CONFORMANCE_SPANS: join(directory, "runners") } }, () =>
          Effect.gen(function* () {
            yield* Flame.call(add, { a: 1, b: 2 })
            const there = yield* until(() => read(join(directory, "runners"))[0], "a span came")
            assert.strictEqual(there.name, "add.run")
            assert.isUndefined(there.parent)
          })
        ),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    )
  )
})
