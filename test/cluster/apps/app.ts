/** Parent and runner in one entry: in a pod of the cluster, told by its test over HTTP what to call. */
import { crash } from "./crash.ts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { all } from "./functions.ts"

crash()

const options = JSON.parse(process.env["TEST_OPTIONS"] ?? "{}") as FlameLayer.AutoOptions

Flame.main({
  functions: all,
  // A Layer, as a server has it: closed by SIGTERM, it exits with 0.
  app: Layer.effectDiscard(
    Effect.flatMap(
      Effect.promise(() => import("./control.ts")),
      ({ app }) => app
    )
  ),
  flame: process.env["TEST_BACKEND"] === "local" ? FlameLayer.local(options) : FlameLayer.auto(options)
}).pipe(Flame.runMain)
