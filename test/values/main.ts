/**
 * Nightly round trips of random values: `npm run values -- --runs 10000000 [--seed 1]`. With `--fuzz` it decodes broken
 * encodings instead, with `--codecs` it takes the codecs alone, without a backend.
 *
 * Prints a line for each batch, with the memory in use after a collection of garbage, and the first values that changed on the
 * way. Exits with 1 if there are any.
 */
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"
import { fuzzDecoders } from "./fuzz.ts"
import { inUse } from "../hostile/Victim.ts"
import { codecTrips, roundTrips } from "./roundTrips.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string" },
    seed: { type: "string" },
    fuzz: { type: "boolean" },
    codecs: { type: "boolean" }
  }
})
const runs = Number(values.runs ?? 10_000_000)
let seed = Number(values.seed ?? Date.now() % 1_000_000)
let done = 0
let refused = 0
const begun = performance.now()
while (values.fuzz === true && done < runs) {
  const { decoded, refused, worst } = fuzzDecoders(seed++, 100, 10_000)
  done += decoded + refused
  const rss = Math.round(inUse() / 2 ** 20)
  console.log(`seed ${seed - 1}: ${done} messages, the slowest took ${worst} ms of CPU, ${rss} MiB`)
}
while (done < runs) {
  const batch = { seed, schemas: 200, values: 250 }
  const report = values.codecs === true ? codecTrips(batch) : await Effect.runPromise(roundTrips(batch))
  done += report.roundTrips
  refused += report.refused
  const rate = Math.round(done / ((performance.now() - begun) / 1000))
  console.log(`seed ${seed}: ${done} round trips, ${refused} refused, ${rate}/s, ${Math.round(inUse() / 2 ** 20)} MiB`)
  if (report.failures.length > 0) {
    console.error(report.failures.join("\n"))
    process.exitCode = 1
  }
  seed++
}
