/** A parent that keeps runners busy and shows its status, for tests of the command line. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import * as FlameStatus from "../../../src/status/FlameStatus.ts"

const work = Flame.fn(
  "work",
  { payload: { millis: Schema.Int }, success: Schema.Int },
  Effect.fnUntraced(function* ({ millis }) {
    yield* Effect.log(`works for ${millis} ms`)
    yield* Effect.sleep(millis)
    return millis
  })
)

class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

const refuse = Flame.fn("refuse", { error: Refused }, () => Effect.fail(new Refused({ why: "this order is closed" })))

const number = (name: string, fallback: number): number => Number(process.env[name] ?? fallback)

/** The number of concurrent calls, and the milliseconds of each. */
const load = number("TEST_LOAD", 3)
const millis = number("TEST_MILLIS", 400)

/** Calls of work that ends; 0: work goes on for ever. */
const total = number("TEST_CALLS", 0)

const ending = Effect.gen(function* () {
  const began = Date.now()
  const calls = Array.from({ length: total }, () => Flame.call(work, { millis }))
  yield* Effect.all(calls, { concurrency: "unbounded", discard: true })
  yield* Effect.log(`finished ${total} calls after ${Date.now() - began} ms`)
  return yield* Effect.never
})

const endless = Effect.gen(function* () {
  const call = Effect.ignore(Flame.call(work, { millis })).pipe(Effect.repeat(Schedule.forever))
  const failing = Effect.ignore(Flame.call(refuse)).pipe(Effect.repeat(Schedule.spaced("2 seconds")))
  const callers = Array.from({ length: load }, () => call)
  return yield* Effect.all(load === 0 ? [Effect.never] : [...callers, failing], {
    concurrency: "unbounded",
    discard: true
  })
})

const app = total > 0 ? ending : endless

const priority = process.env["TEST_PRIORITY_CLASS"]

const ofPods: { readonly priorityClassName?: string } = {
  ...JSON.parse(process.env["TEST_KUBERNETES_OPTIONS"] ?? "{}"),
  ...(priority === undefined ? {} : { priorityClassName: priority })
}
const ofPool = { max: 4, idleTimeToLive: "10 seconds" } as const

/** Outside of the cluster its runners are pods too, where the options of pods are given. */
const flame =
  process.env["KUBECONFIG"] !== undefined && process.env["TEST_KUBERNETES_OPTIONS"] !== undefined
    ? FlameLayer.kubernetes({ ...ofPool, ...ofPods })
    : FlameLayer.auto({ ...ofPool, kubernetes: ofPods })

Flame.main({
  functions: [work, refuse],
  app,
  flame: process.env["TEST_STATUS"] === "0" ? flame : Layer.merge(flame, FlameStatus.layer())
}).pipe(Flame.runMain)
