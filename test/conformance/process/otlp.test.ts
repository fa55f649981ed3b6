import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { fixture } from "../../fixtures/conformance-process/harness.ts"
import * as Otlp from "../../fixtures/conformance-process/otlp.ts"
import * as Receiver from "../../fixtures/conformance-process/otlp-receiver.ts"
import * as SpanTree from "../../fixtures/conformance-process/span-tree.ts"
import { until } from "../../fixtures/conformance-process/patience.ts"
import { measure } from "../../fixtures/conformance-process/runner-otlp.ts"

const attributesOf = ({ attributes }: { readonly attributes: Receiver.OtlpSpan["attributes"] }) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

describe("a call of a program whose parent and runners export by OTLP", () => {
  it.live("is one tree of spans: the caller's, the call with its wait and its boot, and the function's", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const receiver = yield* Receiver.make
        const pool = FlameLayer.local({
          entry: fixture("runner-otlp.ts"),
          max: 1,
          env: { [Otlp.receiverVariable]: receiver.url }
        })
        const parent = Otlp.layer(receiver.url, "the-parent")
        const pid = yield* Effect.withSpan(Flame.call(measure), "request").pipe(
          Effect.tap(() => until(() => receiver.metrics.has("flame_calls_total"), "the pool's metrics came")),
          Effect.provide(Layer.provideMerge(pool, parent))
        )
        assert.notStrictEqual(pid, process.pid)
        const find = yield* SpanTree.ofCall(receiver)
        const steps = ["launched", "started", "importing", "imported", "connected", "ready"]
        assert.deepStrictEqual(
          find("boot")?.events.map(({ name }) => name),
          steps
        )
        const call = attributesOf(find("Flame.call")!)
        assert.containsAllKeys(call, ["flame.waited_ms", "flame.carried_ms", "flame.ran_ms", "flame.runner"])
        assert.strictEqual(attributesOf(find("measure.run")!)["flame.runner"], call["flame.runner"])
      })
    )
  )

  it.live("exports the log lines of its function in the parent's export too, at the function's span", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const receiver = yield* Receiver.make
        const pool = FlameLayer.local({
          entry: fixture("runner-otlp.ts"),
          max: 1,
          env: { [Otlp.receiverVariable]: receiver.url }
        })
        const logged = () =>
          receiver.logs.find(({ body, service }) => service === "the-parent" && body.stringValue === "measuring")
        yield* Flame.call(measure).pipe(
          Effect.andThen(until(() => logged() !== undefined, "the line came from the parent")),
          Effect.provide(Layer.provideMerge(pool, Otlp.layer(receiver.url, "the-parent")))
        )
        const inside = () => receiver.spans.find(({ name }) => name === "inside")
        yield* until(() => inside() !== undefined, "the span came")
        const line = logged()!
        assert.deepStrictEqual([line.traceId, line.spanId], [inside()?.traceId, inside()?.spanId])
        assert.deepInclude(attributesOf(line), { function: "measure", pool: "effect-flame/Pool" })
      })
    )
  )
})
