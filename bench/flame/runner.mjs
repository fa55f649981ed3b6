import * as Flame from "../../src/Flame.ts"
import * as FlameRunner from "../../src/FlameRunner.ts"
import { functions } from "./functions.mjs"

FlameRunner.serve(Object.values(functions)).pipe(Flame.runMain)
