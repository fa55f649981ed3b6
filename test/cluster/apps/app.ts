/** Parent and runner in one entry: in a pod of the cluster, told by its test over HTTP what to call. */
import { crash } from "./crash.ts"
import * as Effect from "effect/Effect"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { all } from "./functions.ts"

crash()

const options = JSON.parse(process.env["TEST_OPTIONS"] ?? "{}") as FlameLayer.AutoOptions

Flame.main({
  functions: all,
  app: Effect.flatMap(
    Effect.promise(() => import("./control.ts")),
    ({ app }) => app
  ),
  flame: process.env["TEST_BACKEND"] === "local" ? FlameLayer.local(options) : FlameLayer.auto(options)
}).pipe(Flame.runMain)
