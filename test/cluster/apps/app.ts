/** Parent and runner in one entry. As a parent in a pod, the program makes the calls that its test orders over HTTP. */
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
