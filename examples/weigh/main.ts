/**
 * Weighs every package of a node_modules folder on runners: reads its files, minifies its scripts, compresses them.
 *
 *     node examples/weigh/main.ts [folder] [--serial | --compare] [--runners N] [--limit N] [--top N]
 *
 * One entry, two roles. Both roles load this file, so it holds little: the parent alone loads `App.ts` (command line,
 * progress, tables), and runners alone load the minifier. Bad packages are reported, and the others go on. The exit code is
 * 1 if the folder cannot be read, or if runners failed.
 */
import { availableParallelism } from "node:os"
import * as Effect from "effect/Effect"
import { Flame, FlameLayer } from "effect-flame"
import { Minifier } from "./Minifier.ts"
import { weighLive } from "./WeighLive.ts"

Flame.main({
  functions: [weighLive],
  services: Minifier.layer,
  app: Effect.flatMap(
    Effect.promise(() => import("./App.ts")),
    ({ app }) => app
  ),
  flame: FlameLayer.auto({ max: availableParallelism(), cancelGrace: "2 seconds" })
}).pipe(Flame.runMain)
