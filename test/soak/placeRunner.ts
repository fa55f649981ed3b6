/** The runner program of the soak of placed services. */
import { Flame, FlameRunner } from "../../src/index.ts"
import { countingFibers, placeFunctions } from "./PlaceServices.ts"

FlameRunner.serve(placeFunctions).pipe(countingFibers, Flame.runMain)
