/**
 * Weighs every package of a node_modules folder on runners: reads its files, minifies its scripts, compresses them.
 *
 *     node examples/weigh/main.ts [folder] [--serial | --compare] [--runners N] [--limit N] [--top N]
 *
 * One entry, two roles. This file is what both load, so it holds little: the parent's part (command line, progress,
 * tables) is loaded by the parent, the minifier by runners. Bad packages are reported and the rest goes on; the exit
 * code is 1 only where the folder cannot be read or something else than a package went wrong.
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
