/** The program that is bundled into one file, and the entry that its runners are compared with. */

/** The largest one-file bundle, in bytes. */
export const limit = 2_000_000

const usage = `
export const usage = Flame.fn("usage", { success: Schema.Struct({ cpu: Schema.Number, rss: Schema.Number }) }, () =>
  Effect.sync(() => {
    const { system, user } = process.cpuUsage()
    return { cpu: (user + system) / 1000, rss: process.memoryUsage.rss() / 2 ** 20 }
  })
)
`

/** Both roles in one file, as a first program has them. */
export const main = `
import { Effect, Schema } from "effect"
import { Flame, FlameLayer } from "effect-flame"
${usage}
const app = Effect.flatMap(Effect.forEach(Array.from({ length: 9 }), () => Flame.call(usage)), (all) =>
  Effect.sync(() => console.log(JSON.stringify(all)))
)
const entry = process.env.THIN === undefined ? {} : { entry: process.env.THIN }
Flame.main({ functions: [usage], app, flame: FlameLayer.auto({ max: 1, maxCalls: 1, ...entry }) }).pipe(Flame.runMain)
`

/** The entry of runners alone, with deep imports. */
export const thin = `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flame from "effect-flame/Flame"
import { FlameRunner } from "effect-flame/runner"
${usage}
Flame.runMain(FlameRunner.serve([usage]))
`
