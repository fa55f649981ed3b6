/**
 * Keeps the books of a bank in an SQLite database on a runner: `node examples/place/main.ts [file]`. With
 * `--kubernetes IMAGE` the runner is a pod of an image that has this program's bundle.
 *
 * The service is placed: the service stays on one runner until its owner's Scope closes, and any number of callers use it.
 */
import * as Effect from "effect/Effect"
import { Flame } from "effect-flame"
import { runners } from "../runners.ts"
import { ledger } from "./Ledger.ts"

Flame.main({
  functions: [ledger],
  app: Effect.flatMap(
    Effect.promise(() => import("./App.ts")),
    ({ app }) => app
  ),
  flame: runners({ max: 1 })
}).pipe(Flame.runMain)
