#!/usr/bin/env node
// Measures cold starts on a real cluster: runners and bare Node pods of the same shape, in interleaved pairs.
//
//   node bench/cold-start.mjs [--n 40] [--burst 20] [--bursts 3] [--variants plain,cache,snapshot,sync] [--out bench/results/cold-start]
//
// bench/README.md defines the figures.
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { median } from "./driver/metrics.mjs"
import { bareListener, connectCluster, cpuOf, makeImage, makeNamespace } from "./kubernetes/cluster.mjs"
import { makeFolder, optionsOf, variables } from "./kubernetes/folder.mjs"
import { PHASES, startPool } from "./kubernetes/ours.mjs"

const { values: options } = parseArgs({
  options: {
    n: { type: "string", default: "40" },
    burst: { type: "string", default: "20" },
    bursts: { type: "string", default: "3" },
    variants: { type: "string", default: "plain,cache,snapshot,sync" },
    out: { type: "string" }
  }
})
const [n, burst, bursts] = [options.n, options.burst, options.bursts].map(Number)
const variants = options.variants.split(",")
const log = (line) => process.stderr.write(`${line}\n`)
const pause = () => new Promise((later) => setTimeout(later, 300 + 400 * Math.random()))
const cpuMillis = () => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e3
}

const run = Date.now().toString(36)
const namespace = `flame-cold-start-${run}`
const cluster = connectCluster()
const removeNamespace = await makeNamespace(cluster, namespace)
const closing = [removeNamespace]

const one = async (contender) => {
  const cpu = cpuMillis()
  const sample = await contender.boot()
  const parent = cpuMillis() - cpu
  const pod = cpuOf(sample.uid)
  await sample.remove()
  await pause()
  return { ...sample, parent, pod: pod === undefined ? undefined : pod * 1e3 }
}

const many = async (contender, count) => {
  const cpu = cpuMillis()
  const { ms, remove, uids } = await contender.burst(count)
  const parent = cpuMillis() - cpu
  const pods = uids.map(cpuOf).filter((seconds) => seconds !== undefined)
  await remove()
  await pause()
  return { ms, parent, pods: pods.length === 0 ? undefined : pods.reduce((sum, seconds) => sum + seconds, 0) * 1e3 }
}

const interleaved = async (contenders, rounds, take) => {
  const samples = new Map(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    const first = round % contenders.length
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const sample = await take(contender)
      samples.get(contender.name).push(sample)
      log(`${round + 1}/${rounds} ${contender.name}: ${sample.ms.toFixed(0)} ms`)
    }
  }
  return samples
}

const shown = (values) => {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? "-" : median(known).toFixed(0)
}
const row = (cells) => `| ${cells.join(" | ")} |`
const table = (head, rows) => [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n")

const coldStarts = (samples) => {
  const bare = samples.get("bare")
  return table(
    ["", "p50 ms", "min", "max", "p50 of the difference to its bare pod", "CPU ms: pod", "parent"],
    [...samples].map(([name, own]) => {
      const all = own.map(({ ms }) => ms)
      const differences = own.map(({ ms }, round) => ms - bare[round].ms)
      const [pod, parent] = [own.map((sample) => sample.pod), own.map((sample) => sample.parent)]
      return [
        name,
        shown(all),
        Math.min(...all).toFixed(0),
        Math.max(...all).toFixed(0),
        name === "bare" ? "" : shown(differences),
        shown(pod),
        shown(parent)
      ]
    })
  )
}

const phases = (samples) => {
  const step = (own) => (_, index) => shown(own.map((sample) => sample.phases[index]))
  const rowOf = ([name, own]) => [name].concat(PHASES.map(step(own)), shown(own.map(({ ms }) => ms)))
  return table(["", ...PHASES, "result"], [...samples].filter(([name]) => name !== "bare").map(rowOf))
}

const burstTable = (samples) => {
  const bare = samples.get("bare")
  return table(
    ["", "last one connected, p50 ms", "times its bare pods, p50", "CPU ms: pods", "parent"],
    [...samples].map(([name, own]) => [
      name,
      shown(own.map(({ ms }) => ms)),
      median(own.map(({ ms }, round) => ms / bare[round].ms)).toFixed(2),
      shown(own.map((sample) => sample.pods)),
      shown(own.map((sample) => sample.parent))
    ])
  )
}

try {
  const load = os.loadavg().map((value) => value.toFixed(1))
  const images = {}
  // the code of `sync` comes from this process
  const imaged = variants.filter((variant) => variant !== "sync")
  for (const variant of imaged) {
    const folder = await makeFolder(variant)
    images[variant] = `localhost/flame-cold-start-${variant}:${run}`
    makeImage(cluster, images[variant], folder, variables(variant))
    fs.rmSync(folder, { recursive: true })
  }
  const bare = await bareListener(cluster, namespace, images[imaged[0]])
  closing.push(bare.close)
  const bareBurst = async (count) => {
    const pods = await Promise.all(Array.from({ length: count }, bare.boot))
    const remove = () => Promise.all(pods.map((pod) => pod.remove()))
    return { ms: Math.max(...pods.map(({ connected }) => connected)), uids: pods.map(({ uid }) => uid), remove }
  }
  const contenders = [{ name: "bare", boot: bare.boot, burst: bareBurst }]
  for (const variant of variants) {
    const image = images[variant] ?? images[imaged[0]]
    const pool = await startPool(cluster, namespace, image, { max: Math.max(1, burst), ...optionsOf(variant) })
    closing.push(pool.close)
    contenders.push({ name: variant, ...pool })
  }
  // The first boot of each contender finds cold caches and is not measured.
  for (const contender of contenders) {
    const { version = process.version } = await one(contender)
    if (variants.some((variant) => variant === "cache" || variant === "snapshot") && version !== process.version)
      throw new Error(`the image's Node ${version} cannot use what this one (${process.version}) made: run this by it`)
  }
  const singles = await interleaved(contenders, n, one)
  const report = [
    `Cold starts, ${new Date().toISOString()}, n = ${n}, load at the start ${load.join(" ")}, at the end ${os
      .loadavg()
      .map((value) => value.toFixed(1))
      .join(" ")}, Node ${process.version}`,
    coldStarts(singles),
    "Milliseconds from the call to each step of the boot, p50:",
    phases(singles)
  ]
  if (bursts > 0 && burst > 0) {
    const together = await interleaved(contenders, bursts, (contender) => many(contender, burst))
    report.push(`${burst} runners at once, ${bursts} times:`, burstTable(together))
  }
  const text = `${report.join("\n\n")}\n`
  if (options.out) {
    fs.mkdirSync(path.dirname(options.out), { recursive: true })
    fs.writeFileSync(`${options.out}.md`, text)
  }
  console.log(text)
} finally {
  for (const close of closing.toReversed()) await close()
}
process.exit(0)
