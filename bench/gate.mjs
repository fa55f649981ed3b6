#!/usr/bin/env node
// Compares a results file with the targets of the project: node bench/gate.mjs results.json [--peer flame:bundle] [--strict]
// Prints Markdown. --strict: exits with 1 if a target is missed or lacks figures.
import fs from "node:fs"
import { parseArgs } from "node:util"
import { format } from "./driver/metrics.mjs"
import { judge, original } from "./driver/targets.mjs"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { peer: { type: "string", default: "flame:bundle" }, strict: { type: "boolean", default: false } }
})
const [file] = positionals
if (!file) {
  console.error("usage: node bench/gate.mjs results.json [--peer flame:bundle] [--strict]")
  process.exit(2)
}
const results = JSON.parse(fs.readFileSync(file, "utf8"))
const verdicts = judge(results.summary, values.peer)

const withUnit = (v, { unit }) => (v === undefined ? "–" : `${format(v)}${unit ? ` ${unit}` : ""}`)
const measured = (v) => {
  const range = v.spread && v.spread[0] !== v.spread[1] ? `, ${format(v.spread[0])}–${format(v.spread[1])}` : ""
  return `${withUnit(v.measured, v)}${v.factor === undefined ? "" : ` (${v.factor.toFixed(2)} ×${range})`}`
}
const verdict = (v) => {
  if (v.verdict === "open") return `open: ${v.why}`
  if (v.verdict === "pass") return v.aim && v.factor > v.aim ? `pass (aim ${v.aim} ×)` : "pass"
  return `**${v.wish ? "aim missed" : "missed"} by ${(v.off * 100).toFixed(v.off < 0.1 ? 1 : 0)} %**`
}

const rows = verdicts.map((v) => `| ${v.title} | ${withUnit(v.limit, v)} | ${measured(v)} | ${verdict(v)} |`)
const count = (name) => verdicts.filter((v) => v.verdict === name && !v.wish).length
console.log(`## Targets, ${values.peer}

${new Date(results.date).toISOString().slice(0, 16)} UTC · ${results.rounds} rounds · ${results.where}

| target | limit in this run | measured (× the other, range) | verdict |
| --- | --: | --: | --- |
${rows.join("\n")}

${count("pass")} passed, ${count("missed")} missed, ${count("open")} open. ${original}`)
if (values.strict && count("missed") + count("open")) process.exitCode = 1
