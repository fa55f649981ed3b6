/** A program that is only a runner. */
import { crash } from "./crash.ts"
import { runMain, serve } from "../../../src/FlameRunner.ts"
import { all } from "./functions.ts"

crash()

serve(all).pipe(runMain)
