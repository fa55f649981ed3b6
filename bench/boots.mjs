#!/usr/bin/env node
// Boots of local runners, beside bare forks of Node: milliseconds and CPU, by programs that take turns.
//
//   node bench/boots.mjs [--rounds 9] [--variants fork,bundle,cached,snapshot] [--no-build]
//
// Each sample is a fresh program (flame/boot-once.mjs). CPU is what holds on a busy machine. The columns are the median and the
// least of all rounds, and the median of the differences to the first variant in the same round.
import cp from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { bundleAll } from "./flame/bundle.mjs"
import { median } from "./driver/metrics.mjs"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    variants: { type: "string", default: "fork,bundle,cached,snapshot" },
    "no-build": { type: "boolean", default: false }
  }
})
const variants = values.variants.split(",")
const failed = values["no-build"] ? undefined : await bundleAll()
if (failed) throw new Error(failed)

const once = (variant) => {
  const program = fileURLToPath(new URL("flame/boot-once.mjs", import.meta.url))
  const { stderr, stdout } = cp.spawnSync(process.execPath, ["--no-warnings", program, variant], { encoding: "utf8" })
  const line = stdout.split("\n").find((each) => each.startsWith("@@"))
  if (line === undefined) throw new Error(`${variant}: ${stderr || stdout}`)
  return JSON.parse(line.slice(2))
}

const taken = new Map(variants.map((variant) => [variant, []]))
// The first round is not counted: it fills caches.
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
    const sample = once(variant)
    if (round > 0) taken.get(variant).push(sample)
  }
}

for (const name of Object.keys(taken.get(variants[0])[0])) {
  console.log(`\n${name} (ms)`)
  const first = taken.get(variants[0]).map((sample) => sample[name])
  for (const variant of variants) {
    const all = taken.get(variant).map((sample) => sample[name])
    const above = median(all.map((each, i) => each - first[i]))
    const figures = [median(all), Math.min(...all), above].map((each) => each.toFixed(1).padStart(8))
    console.log(`  ${variant.padEnd(10)} median ${figures[0]}  least ${figures[1]}  above ${variants[0]} ${figures[2]}`)
  }
}
