/**
 * The program that `npm run trace:call` traces: one runner and one function. Writes the start and end of the boot, of the
 * call and of the idle stop to `windows.json`.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Flame, FlameLayer, Pool } from "effect-flame"

const square = Flame.fn("square", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * n))

const now = Effect.sync(() => performance.timeOrigin + performance.now())
/** Time for the work that follows a call, such as an acknowledgement or the rearming of a timer. */
const quiet = Effect.sleep("300 millis")

const app = Effect.gen(function* () {
  const pool = yield* Pool
  const until = (tag: string) => Stream.runDrain(Stream.takeUntil(pool.events, (event) => event._tag === tag))
  const window = Effect.fnUntraced(function* (effect: Effect.Effect<unknown, unknown, Pool>) {
    yield* quiet
    const from = yield* now
    yield* effect
    yield* quiet
    return [from, yield* now] as const
  })
  const boot = yield* window(Effect.all([until("RunnerReady"), pool.resize({ min: 1 })], { concurrency: 2 }))
  for (let n = 0; n < 200; n++) yield* Flame.call(square, { n })
  const call = yield* window(Effect.suspend(() => Flame.call(square, { n: 3 })))
  const stop = yield* window(
    Effect.all([until("RunnerGone"), pool.resize({ min: 0, idleTimeToLive: "10 millis" })], { concurrency: 2 })
  )
  writeFileSync(
    join(process.env["TRACE_FOLDER"]!, "windows.json"),
    JSON.stringify({ parent: process.pid, windows: { boot, call, stop } })
  )
})

Flame.main({ functions: [square], app, flame: FlameLayer.local({ max: 1, idleTimeToLive: "1 hour" }) }).pipe(
  Flame.runMain
)
