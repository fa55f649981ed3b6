/**
 * Runs many random schedules, from a seed that is the present time by default: `--steps 5000000 --seed 7 --schedules 1
 * --moves 400`.
 */
import { parseArgs } from "node:util"
import * as PoolSchedule from "./PoolSchedule.ts"

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "5000000" },
    seed: { type: "string" },
    schedules: { type: "string", default: "Infinity" },
    moves: { type: "string", default: "400" }
  }
})
const first = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
const start = performance.now()
let steps = 0
let done = 0
while (steps < Number(values.steps) && done < Number(values.schedules)) {
  const result = PoolSchedule.run(first + done, Number(values.moves))
  steps += result.steps
  done++
  if (result.finding === undefined) continue
  console.error(PoolSchedule.render(result.finding))
  process.exit(1)
}
const seconds = ((performance.now() - start) / 1000).toFixed(1)
console.log(`${steps} steps in ${done} schedules from seed ${first}: nothing found in ${seconds} s`)
