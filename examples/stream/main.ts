/**
 * Counts the words of a large file on a runner, and shows how far it is: `node examples/stream/main.ts [--until WORD] [file]`,
 * with `--kubernetes IMAGE` on a pod, of an image that has this program's bundle, and the file.
 *
 * The function gives a stream: partial results as they are there, held back when nobody takes them, and stopped where
 * the reader of the stream has seen enough.
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
