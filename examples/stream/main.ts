/**
 * Counts the words of a large file on a runner, and shows how far it is: `node examples/stream/main.ts [file | --until WORD]`.
 *
 * The function gives a stream: partial results as they are there, held back when nobody takes them, and stopped where
 * the reader of the stream has seen enough.
 */
import * as Effect from "effect/Effect"
import { Flame, FlameLayer } from "../../src/index.ts"
import { index } from "./Index.ts"

Flame.main({
  functions: [index],
  app: Effect.flatMap(
    Effect.promise(() => import("./App.ts")),
    ({ app }) => app
  ),
  flame: FlameLayer.auto({ max: 1 })
}).pipe(Flame.runMain)
