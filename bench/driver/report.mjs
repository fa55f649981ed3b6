// Makes tables of samples: medians over the rounds, and their ratio to the baseline.
import cp from "node:child_process"
import fs from "node:fs"
import { createRequire } from "node:module"
import os from "node:os"
import path from "node:path"
import { home } from "./catalog.mjs"
import { format, median, metricsOf, sentenceHeads, sentencesOf } from "./metrics.mjs"
import { cores } from "./proc.mjs"

const PACKAGES = [
  "effect",
  "@effect/platform-node",
  "@grpc/grpc-js",
  "bullmq",
  "piscina",
  "tinypool",
  "workerpool",
  "rolldown"
]

/** The last line of a Python traceback, the first line of anything else. */
export const errorLine = (text) => {
  const lines = (text ?? "?").trim().split("\n")
  return lines[0].startsWith("Traceback") ? lines.at(-1) : lines[0]
}

const versionOf = (name) => {
  const folder = createRequire(path.join(home, "run.mjs"))
    .resolve.paths(name)
    .find((dir) => fs.existsSync(path.join(dir, name)))
  return folder && JSON.parse(fs.readFileSync(path.join(folder, name, "package.json"), "utf8")).version
}

const figure = ({ get, pick }, ok) => {
  const values = ok.map(get).filter(Number.isFinite)
  if (!values.length) return undefined
  return { value: pick(values), min: Math.min(...values), max: Math.max(...values), n: values.length }
}

const rowOf = (peer, kase, samples) => {
  const mine = samples.filter((s) => s.peer === peer && s.case === kase)
  const ok = mine.filter((s) => s.data && !s.data.na && !s.error)
  return { peer, mine, ok, figures: metricsOf(kase).map((metric) => figure(metric, ok)) }
}

const escaped = (text) => String(text ?? "").replaceAll("|", "\\|")
const failure = ({ mine }) => {
  const first = mine[0]
  return first?.data?.na ? `n/a: ${first.data.na}` : `failed: ${errorLine(first?.error).slice(0, 160)}`
}

const table = (kase, rows, baseline) => {
  const metrics = metricsOf(kase)
  const used = metrics.map((_, i) => i).filter((i) => rows.some((r) => r.figures[i]))
  const base = rows.find((r) => r.peer === baseline)
  const cell = (row, i) => {
    const own = row.figures[i]
    const reference = base?.figures[i]?.value
    if (!own) return "–"
    const ratio = own.value / reference
    return format(own.value) + (reference ? ` (${ratio.toFixed(ratio < 0.095 ? 3 : 2)}×)` : "")
  }
  const heads = ["peer", ...used.map((i) => metrics[i].label), ...sentenceHeads(kase)]
  const rules = ["---", ...used.map(() => "--:"), ...sentenceHeads(kase).map(() => "---")]
  const line = (row) => {
    if (!row.ok.length) return [row.peer, escaped(failure(row))]
    const lost = row.mine.length - row.ok.length
    const name = lost ? `${row.peer} (${lost} of ${row.mine.length} samples failed)` : row.peer
    return [name, ...used.map((i) => cell(row, i)), ...sentencesOf(kase, row.ok[0].data).map(escaped)]
  }
  return [heads, rules, ...rows.map(line)].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

const summaryOf = (kase, rows) => {
  const metrics = metricsOf(kase)
  const one = (row) => {
    if (!row.ok.length) return { failed: row.mine[0]?.data?.na ?? errorLine(row.mine[0]?.error) }
    return Object.fromEntries(metrics.map(({ key }, i) => [key, row.figures[i]]).filter(([, f]) => f))
  }
  return Object.fromEntries(rows.map((row) => [row.peer, one(row)]))
}

/** The report of all samples so far: Markdown, and the JSON that gate.mjs reads. */
export const makeReport = ({ samples, cases, baseline, rounds, title, started, options, maxForeign, node }) => {
  const version = cp.execFileSync(node, ["-v"]).toString().trim()
  const where = `${cores} cores ${os.cpus()[0].model.trim()} · node ${version}`
  const head = `${started.toISOString().slice(0, 16)} UTC · ${rounds} interleaved rounds · medians, (ratio to ${baseline}) · ${where}`
  const rows = new Map(
    cases.map((kase) => {
      const peers = [...new Set(samples.filter((s) => s.case === kase).map((s) => s.peer))]
      return [kase, peers.map((peer) => rowOf(peer, kase, samples))]
    })
  )
  const tables = [...rows].map(([kase, list]) => `## ${kase}\n\n${table(kase, list, baseline)}\n`)
  const foreign = samples.map((s) => s.foreign ?? 0)
  const dirty = foreign.filter((f) => f > maxForeign).length
  const foot =
    `${samples.length} samples, ${dirty} of them with more than ${Math.round(maxForeign * 100)} % of all cores used by other ` +
    `processes after one retry (median of all samples ${(median(foreign) * 100).toFixed(1)} %).`
  const versions = Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)]).filter(([, v]) => v))
  const summary = Object.fromEntries([...rows].map(([kase, list]) => [kase, summaryOf(kase, list)]))
  return {
    markdown: `# ${title}\n\n${head}\n\n${tables.join("\n")}\n${foot}\n`,
    json: {
      date: started,
      where,
      rounds,
      baseline,
      options,
      versions: { node: version, ...versions },
      summary,
      samples
    }
  }
}

/** Writes `out`.md and `out`.json. */
export const writeReport = (out, { markdown, json }) => {
  fs.mkdirSync(path.dirname(path.resolve(out)), { recursive: true })
  fs.writeFileSync(`${out}.md`, markdown)
  fs.writeFileSync(`${out}.json`, JSON.stringify(json, null, 1))
}
