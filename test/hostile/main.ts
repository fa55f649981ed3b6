/**
 * The nightly fuzz run: `npm run fuzz -- --frames 10000000`, from `--seed 1`. Each frame of a session, body and first flight
 * counts as one. Prints each block. A failure names its seed.
 */
import { parseArgs } from "node:util"
import { fuzz, type Fuzzer, fuzzers } from "./Fuzz.ts"
import { counted } from "./SessionFuzz.ts"

const { values } = parseArgs({
  options: { frames: { type: "string", default: "10000000" }, seed: { type: "string", default: "1" } }
})
const names = Object.keys(fuzzers) as ReadonlyArray<Fuzzer>
const total = Number(values.frames)
/** Runs of each fuzzer in a block: about as many frames of sessions as bodies and flights together. */
const block: Readonly<Record<Fuzzer, number>> = {
  "a runner": 2_500,
  "its parent": 2_500,
  decoders: 15_000,
  "first flights": 15_000
}
const began = performance.now()
let done = 0
let sessions = 0
let worst = 0
for (let seed = Number(values.seed); done < total; seed += 15_000) {
  for (const name of names) {
    const before = counted.frames
    const outcome = fuzz(name, block[name], seed)
    const frames = counted.frames - before
    done += frames === 0 ? outcome.runs : frames
    if (frames > 0) sessions += outcome.runs
    worst = Math.max(worst, outcome.worst)
    if (outcome.worst > 250) throw new Error(`${name} took ${outcome.worst} ms of CPU in one run from seed ${seed} on`)
    // Buffers and timers are released between blocks.
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const rss = Math.round(process.memoryUsage.rss() / 1024 / 1024)
  const seconds = Math.round((performance.now() - began) / 1000)
  console.log(
    `${done} frames, ${sessions} sessions, ${seconds} s, longest ${worst.toFixed(1)} ms of CPU, rss ${rss} MiB`
  )
}
