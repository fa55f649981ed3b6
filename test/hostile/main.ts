/**
 * The nightly fuzz run: `npm run fuzz -- --runs 10000000`, from `--seed 1`. Prints each block. A failure names its
 * seed.
 */
import { parseArgs } from "node:util"
import { fuzz, type Fuzzer, fuzzers } from "./Fuzz.ts"

const { values } = parseArgs({
  options: { runs: { type: "string", default: "10000000" }, seed: { type: "string", default: "1" } }
})
const names = Object.keys(fuzzers) as ReadonlyArray<Fuzzer>
const total = Number(values.runs)
const block = 25_000
const began = performance.now()
let done = 0
let worst = 0
for (let seed = Number(values.seed); done < total; seed += block) {
  for (const name of names) {
    const outcome = fuzz(name, Math.min(block, total - done), seed)
    done += outcome.runs
    worst = Math.max(worst, outcome.worst)
    if (outcome.worst > 250) throw new Error(`${name} took ${outcome.worst} ms of CPU in one run from seed ${seed} on`)
    if (done >= total) break
    // Buffers and timers are released between blocks.
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const rss = Math.round(process.memoryUsage.rss() / 1024 / 1024)
  const seconds = Math.round((performance.now() - began) / 1000)
  console.log(`${done} runs, ${seconds} s, longest ${worst.toFixed(1)} ms of CPU, rss ${rss} MiB`)
}
