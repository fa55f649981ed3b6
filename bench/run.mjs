#!/usr/bin/env node
// Measures effect-flame and its peers in interleaved rounds of one run. bench/README.md defines the figures.
import cp from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { pathToFileURL } from "node:url"
import { against, CASES, home, listPeers, obstacle, peersOf } from "./driver/catalog.mjs"
import { withLock } from "./driver/lock.mjs"
import { format, metricsOf, sentencesOf } from "./driver/metrics.mjs"
import { readOptions, usage } from "./driver/options.mjs"
import { quiet } from "./driver/proc.mjs"
import { errorLine, makeReport, writeReport } from "./driver/report.mjs"
import { takeSample } from "./driver/sample.mjs"
import { bundleAll } from "./flame/bundle.mjs"

const run = readOptions(process.argv.slice(2))
const log = (line) => process.stderr.write(`[${new Date().toISOString().slice(11, 19)}] ${line}\n`)

/** The number of turns of the loop in work.mjs that take 20 ms on this machine. */
const calibrate = () => {
  const work = pathToFileURL(path.join(home, "work/work.mjs")).href
  const program = `
    import { timedSpin } from ${JSON.stringify(work)}
    const n = 2e6
    for (let i = 0; i < 30; i++) timedSpin(n)
    const ms = Array.from({ length: 15 }, () => timedSpin(n).ms).sort((a, b) => a - b)
    console.log(Math.round(n * 20 / ms[7]))`
  return Number(cp.execFileSync(run.bins.node, ["--input-type=module", "-e", program]).toString())
}

/** Takes a sample. Repeats a sample that other processes disturbed once, and keeps the one that was disturbed less. */
const sampleOf = async (peer, kase, round) => {
  const why = obstacle(peer, kase)
  if (why) return { peer: peer.id, case: kase, round, sections: {}, foreign: 0, data: { na: why } }
  let best
  for (let attempt = 1; attempt <= run.attempts; attempt++) {
    await quiet(run.quietMs)
    const sample = { ...(await takeSample(peer, kase, run.options, run)), round, attempts: attempt }
    // In a shorter window the ticks of 10 ms are too coarse.
    const long = Object.values(sample.sections).filter((s) => s.wall_ms >= 100)
    sample.foreign = Math.max(0, ...long.map((s) => s.foreign))
    if (!best || sample.foreign < best.foreign) best = sample
    if (sample.error || sample.data?.na || sample.foreign <= run.maxForeign) break
  }
  return best
}

const describe = (kase, sample) => {
  if (sample.error) return `ERROR ${errorLine(sample.error)}`
  if (sample.data.na) return `n/a: ${sample.data.na}`
  const figures = metricsOf(kase).map(({ label, get }) => [label, get(sample)])
  const shown = figures.filter(([, v]) => Number.isFinite(v)).slice(0, run.verbose ? 99 : 4)
  return [...shown.map(([label, v]) => `${label} ${format(v)}`), ...sentencesOf(kase, sample.data)].join(", ")
}

const measure = async (kase, samples) => {
  for (let round = 0; round < run.rounds; round++) {
    const peers = peersOf(run.peers, kase)
    for (const peer of round % 2 ? peers.toReversed() : peers) {
      const sample = await sampleOf(peer, kase, round)
      samples.push(sample)
      const foreign = sample.foreign > 0.05 ? ` (foreign CPU ${(sample.foreign * 100).toFixed(0)} %)` : ""
      log(`${kase} ${round + 1}/${run.rounds} ${peer.id}: ${describe(kase, sample)}${foreign}`)
      if (run.verbose && sample.stderr) log(sample.stderr)
    }
  }
}

const reportOf = (samples, cases, more = {}) => {
  const known = [...new Set(samples.map((s) => s.peer))]
  const baseline = known.find((id) => id === run.baseline || id.startsWith(`${run.baseline}:`)) ?? known[0]
  return makeReport({ ...run, samples, cases, baseline, node: run.bins.node, started: new Date(), ...more })
}

/** Merges earlier results: takes each case from the last file that has it, so that no table mixes two runs. */
const merge = (files) => {
  const runs = files.map((file) => JSON.parse(fs.readFileSync(file, "utf8")))
  const samples = CASES.flatMap((kase) => {
    const last = runs.findLast((r) => r.samples.some((s) => s.case === kase))
    return last?.samples.filter((s) => s.case === kase) ?? []
  })
  const cases = run.cases.filter((kase) => samples.some((s) => s.case === kase))
  const [{ rounds, options, date }] = runs
  return reportOf(samples, cases, { rounds, options, started: new Date(date) })
}

const measureAll = async () => {
  const started = new Date()
  const samples = []
  const done = []
  if (run.cases.includes("cpu")) run.options.iters = calibrate()
  let report
  const one = async (kase) => {
    const why = await bundleAll() // built for each case: the sources may have changed during a long run
    if (why) log(`flame:bundle cannot run: ${why}`)
    const whyBefore = against && (await (await import(path.join(against, "flame/bundle.mjs"))).bundleAll())
    if (whyBefore) log(`before:bundle cannot run: ${whyBefore}`)
    await measure(kase, samples)
    done.push(kase)
    report = reportOf(samples, done, { started })
    if (run.out) writeReport(run.out, report)
  }
  const all = async (cases) => {
    for (const kase of cases) await one(kase)
  }
  if (run["lock-run"]) await withLock(run.lock, () => all(run.cases))
  else for (const kase of run.cases) await withLock(run.lock, () => all([kase]))
  return report
}

if (run.help) console.log(usage)
else if (run.list) console.log(listPeers().join("\n"))
else {
  const report = run.from ? merge(run.from) : await measureAll()
  if (run.from && run.out) writeReport(run.out, report)
  console.log(report.markdown)
}
