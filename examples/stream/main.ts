/**
 * Counts the words of a large file on a runner and shows the progress: `node examples/stream/main.ts [--until WORD] [file]`.
 * With `--kubernetes IMAGE` the runner is a pod of an image that has this program's bundle and the file.
 *
 * The function answers with a stream of partial results. A slow reader holds the function back; a reader that stops early
 * stops the function.
 */
import * as Effect from "effect/Effect"
import { Flame } from "effect-flame"
import { runners } from "../runners.ts"
import { index } from "./Index.ts"

Flame.main({
  functions: [index],
  app: Effect.flatMap(
    Effect.promise(() => import("./App.ts")),
    ({ app }) => app
  ),
  flame: runners({ max: 1 })
}).pipe(Flame.runMain)
