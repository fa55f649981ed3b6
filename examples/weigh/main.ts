/**
 * Weighs every package of a node_modules folder on runners: reads its files, minifies its scripts, compresses them.
 *
 *     node examples/weigh/main.ts [folder] [--serial | --compare] [--runners N] [--limit N] [--top N]
 *
 * The entry of both roles. Both load this file, so this file imports little: only the parent loads `App.ts` (command line,
 * progress, tables), and only runners load the minifier. A package that cannot be weighed is reported, and the others are
 * weighed. The exit code is 1 if the folder cannot be read, or if runners failed.
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
