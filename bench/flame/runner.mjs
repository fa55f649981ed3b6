// The runner of the benchmark, through the thin doors.
import { FlameRunner, runMain } from "../../src/runner.ts"
import { functions } from "./functions.mjs"

FlameRunner.serve(Object.values(functions)).pipe(runMain)
