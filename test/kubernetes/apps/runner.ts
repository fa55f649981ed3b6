/** A runner only. */
import { crashes } from "./crash.ts"
import { runMain, serve } from "../../../src/FlameRunner.ts"
import { all } from "./functions.ts"

void crashes

serve(all).pipe(runMain)
