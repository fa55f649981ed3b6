/** The program's report. Pure: the same outcomes give the same text, on runners and in one process. */
import { Result } from "effect"
import type { PoolStatus } from "effect-flame"
import type { Weight } from "./Weigh.ts"

/** The outcome of one package: its weight, or an error. */
export interface Outcome {
  readonly name: string
  readonly result: Result.Result<Weight, Error>
}

const columns = ["files", "bytes", "scripts", "raw", "minified", "brotli"] as const

/** The part of the outcomes that is the same on runners and in one process. */
export const facts = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<readonly [string, Weight | string]> =>
  outcomes.map(({ name, result }) => [name, Result.isSuccess(result) ? result.success : result.failure.message])

/** A table of the heaviest packages by compressed size, the sum of all, and the packages that failed. */
export const table = (outcomes: ReadonlyArray<Outcome>, top: number): string => {
  const weighed = outcomes.flatMap(({ name, result }) =>
    Result.isSuccess(result) ? [{ name, weight: result.success }] : []
  )
  // Packages of equal weight are sorted by name, so that every run gives the same order.
  const byWeight = weighed.toSorted((a, b) => b.weight.brotli - a.weight.brotli || (a.name < b.name ? -1 : 1))
  const rest = byWeight.slice(top)
  return [
    row("package", ["files", "all bytes", "scripts", "raw", "minified", "brotli"]),
    ...byWeight.slice(0, top).map(({ name, weight }) => weightRow(name, weight)),
    ...(rest.length === 0 ? [] : [weightRow(`${rest.length} more`, sum(rest.map(({ weight }) => weight)))]),
    weightRow(`${weighed.length} together`, sum(weighed.map(({ weight }) => weight))),
    ...problems(outcomes)
  ].join("\n")
}

const problems = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> => {
  const lines = outcomes.flatMap(({ name, result }) =>
    Result.isFailure(result) ? [`  ${name}: ${result.failure.message}`] : []
  )
  return lines.length === 0 ? [] : ["", `${plural(lines.length, "package")} could not be weighed`, ...lines]
}

const sum = (weights: ReadonlyArray<Weight>): Weight => {
  const total = { files: 0, bytes: 0, scripts: 0, raw: 0, minified: 0, brotli: 0 }
  for (const weight of weights) for (const column of columns) total[column] += weight[column]
  return total
}

const weightRow = (name: string, weight: Weight): string =>
  row(
    name,
    columns.map((column) => (column === "files" || column === "scripts" ? `${weight[column]}` : size(weight[column])))
  )

const nameWidth = 42

const row = (name: string, cells: ReadonlyArray<string>): string =>
  (name.length > nameWidth ? `${name.slice(0, nameWidth - 1)}…` : name).padEnd(nameWidth) +
  cells.map((cell) => cell.padStart(12)).join("")

const size = (bytes: number): string =>
  bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(2)} KiB` : `${(bytes / 1024 / 1024).toFixed(2)} MiB`

/** The work of the pool. `boots` has the time of each boot in milliseconds. */
export const pool = ({ totals }: PoolStatus, boots: ReadonlyArray<number>): string => {
  const ran = Math.max(1, totals.succeeded + totals.failed)
  const each = boots.length === 0 ? "" : ` of ${boots.map((millis) => `${Math.round(millis)} ms`).join(", ")}`
  return [
    `the pool: ${plural(totals.boots, "boot")}${each}; ${plural(totals.calls, "call")}, ${totals.failed} failed`,
    `a call waited ${seconds(totals.queueMillis / ran)} and ran ${seconds(totals.runMillis / ran)} on average`,
    `all of them ran ${seconds(totals.runMillis)}; ${plural(totals.runnersLost, "runner")} lost`
  ].join("\n  ")
}

export const seconds = (millis: number): string => `${(millis / 1000).toFixed(2)} s`

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`
