/** The program that is bundled into one file, and the entry that its runners are compared with. */

/** The largest one-file bundle, in bytes. */
export const limit = 2_000_000

const functions = `
import { Effect, Schema } from "effect"
import { Flame } from "effect-flame"

export const usage = Flame.fn("usage", { success: Schema.Struct({ cpu: Schema.Number, rss: Schema.Number }) }, () =>
  Effect.sync(() => {
    const { system, user } = process.cpuUsage()
    return { cpu: (user + system) / 1000, rss: process.memoryUsage.rss() / 2 ** 20 }
  })
)
`

/** Both roles in one file, as a first program has them. `THIN` names an entry whose runners boot in turns with its own. */
const main = `
import { Effect, Layer } from "effect"
import { Flame, FlameLayer } from "effect-flame"
import { usage } from "./functions.mjs"

class Thin extends Flame.PoolService()("app/Thin") {}

const options = { max: 1, maxCalls: 1 }
const pair = Effect.gen(function* () {
  return { whole: yield* Flame.call(usage), thin: yield* Flame.call(usage, undefined, { pool: Thin }) }
})
const app = Effect.flatMap(Effect.forEach(Array.from({ length: Number(process.env.PAIRS ?? 1) }), () => pair), (all) =>
  Effect.sync(() => console.log(JSON.stringify(all)))
)
const thin = process.env.THIN === undefined ? {} : { entry: process.env.THIN }
const flame = Layer.merge(
  FlameLayer.auto(options),
  Thin.layer(options).pipe(Layer.provide(FlameLayer.auto(thin)))
)
Flame.main({ functions: [usage], app, flame }).pipe(Flame.runMain)
`

/** The entry of runners alone, which serves the same functions. */
const thin = `
import * as Flame from "effect-flame/Flame"
import { FlameRunner } from "effect-flame/runner"
import { usage } from "./functions.mjs"

Flame.runMain(FlameRunner.serve([usage]))
`

/** The files of the app: the entries `main.mjs` and `thin.mjs`, and the functions that both import. */
export const files = { "functions.mjs": functions, "main.mjs": main, "thin.mjs": thin }
