/**
 * The apps whose live page the browser looks at: `node app.ts SCENARIO`. Each writes the address of its page to its output.
 *
 * - `load`: two runners that are processes, under calls of which some fail, with names and messages that try to be HTML
 * - `many`: 200 runners
 * - `failing`: no boot succeeds
 * - `empty`: no runner
 */
import { Effect, Layer, Schema } from "effect"
import { Flame, FlameLayer } from "effect-flame"
import * as FlameStatus from "effect-flame/FlameStatus"
import { hostile } from "./hostile.ts"

const work = Flame.fn("work", { payload: { n: Schema.Int } }, ({ n }) =>
  n % 10 === 0 ? Effect.die(new Error(`${hostile} failed`)) : Effect.sleep(n % 40)
)
const named = Flame.fn(`named${hostile}`, {}, () => Effect.sleep("20 seconds"))
const inner = Flame.fn("inner", {}, () => Effect.sleep("1 hour"))
const outer = Flame.fn("outer", {}, () => Effect.orDie(Flame.call(inner)))

const status = FlameStatus.layer({ port: 0, socket: false, actions: true })

/** Makes calls without end, that many at a time. */
const calls = (inFlight: number) => {
  let n = 0
  const one = Effect.suspend(() => Effect.exit(Flame.call(work, { n: n++ })))
  return Effect.all(
    Array.from({ length: inFlight }, () => Effect.forever(one)),
    { concurrency: "unbounded" }
  )
}

const scenario = process.argv[2] ?? "load"

if (scenario === "many") {
  const flame = FlameLayer.test([work], { min: 200, max: 200, concurrency: 4, awaitMin: true })
  Effect.runFork(Effect.provide(calls(300), Layer.provideMerge(flame, status)))
} else if (scenario === "empty") {
  Effect.runFork(Effect.provide(Effect.never, Layer.provideMerge(FlameLayer.test([work], { max: 4 }), status)))
  // The status does not keep a process alive, so this timer does.
  setInterval(() => {}, 1_000)
} else if (scenario === "failing") {
  const flame = FlameLayer.local({ max: 2, entry: new URL("./broken.ts", import.meta.url) })
  Effect.runFork(Effect.provide(calls(3), Layer.provideMerge(flame, status)))
} else {
  const app = Effect.all([calls(12), Effect.exit(Flame.call(named)), Effect.exit(Flame.call(outer))], {
    concurrency: "unbounded"
  })
  const flame = Layer.provideMerge(FlameLayer.auto({ min: 2, max: 2, concurrency: 8 }), status)
  Flame.main({ functions: [work, named, inner, outer], app, flame }).pipe(Flame.runMain)
}
