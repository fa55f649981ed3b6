/** Pure: the output of `explain`: where the time of recent calls went, for each function. */
import type { PoolDocument } from "../../status/record/StatusDocument.ts"
import type { Parent } from "../status/Parents.ts"
import { type Cell, type Paint, table, wrapped } from "./Style.ts"
import { count, spoken } from "../../time/Spoken.ts"

type RecentCall = PoolDocument["calls"][number]

/** The parts of a call's time, in the order in which they pass. */
const parts = ["queued", "boot", "carried", "ran"] as const
type Part = (typeof parts)[number]

/** Mean milliseconds of each part, among the calls that tell it. `other`: the time that no part counts. */
type Shares = Readonly<Record<Part | "other", number>>

/** The recent calls of one function of one pool. */
export interface FunctionTimes {
  readonly function: string
  readonly pool: string
  readonly parent: string
  readonly calls: number
  readonly failed: number
  /** Milliseconds. */
  readonly mean: number
  readonly p50: number
  readonly max: number
  readonly shares: Shares
  /** Calls that waited for a boot, and the mean milliseconds of each step of these boots. */
  readonly booted: number
  readonly steps: ReadonlyArray<readonly [string, number]>
}

const sumOf = (values: ReadonlyArray<number>): number => values.reduce((sum, each) => sum + each, 0)
const meanOf = (values: ReadonlyArray<number>): number => (values.length === 0 ? 0 : sumOf(values) / values.length)

const bootOf = ({ boot }: RecentCall): number => sumOf(boot.map(([, millis]) => millis))

const sharesOf = (calls: ReadonlyArray<RecentCall>): Shares => {
  const mean = (of: (call: RecentCall) => number, among = calls): number => meanOf(among.map(of))
  // A parent asks the runner of a sample of its calls alone.
  const told = calls.filter(({ ran }) => ran !== undefined)
  const known = {
    queued: mean(({ queued }) => queued),
    boot: mean(bootOf),
    carried: mean(({ carried = 0 }) => carried, told),
    ran: mean(({ ran = 0 }) => ran, told)
  }
  const total = mean((call) => call.total)
  return { ...known, other: Math.max(0, total - sumOf(Object.values(known))) }
}

/** Means of each step. A call that waited for the end of a boot lacks the first steps: the call with the most has the order. */
const stepsOf = (calls: ReadonlyArray<RecentCall>): ReadonlyArray<readonly [string, number]> => {
  const longest = calls.toSorted((left, right) => right.boot.length - left.boot.length)
  const names = [...new Set(longest.flatMap(({ boot }) => boot.map(([name]) => name)))]
  return names.map((name) => [name, meanOf(calls.map(({ boot }) => boot.find(([each]) => each === name)?.[1] ?? 0))])
}

const timesOf = (name: string, pool: string, parent: string, calls: ReadonlyArray<RecentCall>): FunctionTimes => {
  const totals = calls.map(({ total }) => total).toSorted((left, right) => left - right)
  const booted = calls.filter(({ boot }) => boot.length > 0)
  return {
    function: name,
    pool,
    parent,
    calls: calls.length,
    failed: calls.filter(({ outcome }) => outcome !== "succeeded").length,
    mean: meanOf(totals),
    p50: totals[Math.floor((totals.length - 1) / 2)] ?? 0,
    max: totals.at(-1) ?? 0,
    shares: sharesOf(calls),
    booted: booted.length,
    steps: stepsOf(booted)
  }
}

/** The last calls of all parents, by function; the function that took the most time first. */
export const functionsOf = (parents: ReadonlyArray<Parent>, last: number): ReadonlyArray<FunctionTimes> => {
  const all = parents.flatMap(({ document, name }) =>
    (document?.pools ?? []).flatMap(({ calls, pool }) => calls.map((call) => ({ call, pool, parent: name })))
  )
  const recent = all.toSorted((left, right) => right.call.at - left.call.at).slice(0, last)
  const groups = Map.groupBy(recent, ({ call, parent, pool }) => JSON.stringify([parent, pool, call.function]))
  return [...groups.values()]
    .map((group) => {
      const { call, parent, pool } = group[0]!
      return timesOf(
        call.function,
        pool,
        parent,
        group.map((each) => each.call)
      )
    })
    .toSorted((left, right) => right.mean * right.calls - left.mean * left.calls)
}

/** The document of `explain --json`. */
export const document = (functions: ReadonlyArray<FunctionTimes>, at: number) => ({
  version: 1,
  kind: "explain",
  at: new Date(at).toISOString(),
  functions
})

/** Characters of a bar, by part. */
const fills: Readonly<Record<keyof Shares, readonly [Parameters<Paint>[0], string]>> = {
  queued: ["warn", "."],
  boot: ["accent", "="],
  carried: ["dim", "-"],
  ran: ["good", "#"],
  other: ["dim", " "]
}

const barWidth = 24

/** The parts of a time as a bar, in which each part has its share of the width. A small part may get no width. */
export const bar = (shares: Shares, paint: Paint): string => {
  const entries = Object.entries(shares) as ReadonlyArray<[keyof Shares, number]>
  const total = sumOf(entries.map(([, value]) => value))
  if (total === 0) return " ".repeat(barWidth)
  let at = 0
  let drawn = 0
  return entries
    .map(([part, value]) => {
      at += value
      const end = Math.round((at / total) * barWidth)
      const [tone, fill] = fills[part]
      const text = fill.repeat(end - drawn)
      drawn = end
      return paint(tone, text)
    })
    .join("")
}

const time = (millis: number): string =>
  millis < 0.05 ? "-" : spoken(millis < 10 ? Math.round(millis * 10) / 10 : millis)

/** The screen of `explain`. */
export const screen = (functions: ReadonlyArray<FunctionTimes>, paint: Paint, width: number): ReadonlyArray<string> => {
  const calls = sumOf(functions.map((each) => each.calls))
  if (calls === 0) return ["no call has ended lately"]
  const parents = new Set(functions.map(({ parent }) => parent))
  const isOneParent = parents.size === 1
  const rows = functions.map((each): ReadonlyArray<Cell> => {
    const { shares } = each
    const row: ReadonlyArray<Cell> = [
      ["bold", each.function],
      String(each.calls),
      each.failed === 0 ? "-" : ["bad", String(each.failed)],
      time(each.p50),
      time(each.max),
      time(shares.queued),
      time(shares.boot),
      time(shares.carried),
      time(shares.ran)
    ]
    return isOneParent ? row : [...row, each.parent]
  })
  const heading = ["FUNCTION", "CALLS", "FAILED", "P50", "MAX", "QUEUED", "BOOT", "CARRIED", "RAN"].concat(
    isOneParent ? [] : ["PARENT"]
  )
  const bars = functions.map((each) => `${bar(each.shares, paint)}  ${each.function}`)
  const boots = functions
    .filter(({ booted }) => booted > 0)
    .flatMap(({ booted, function: name, steps }) => {
      const words = steps.map(([step, millis]) => `${step} ${time(millis)}`).join(", ")
      const lines = wrapped(`${name}: ${count(booted, "call")} waited for a boot: ${words}`, width - 2)
      return lines.map((line, at) => (at === 0 ? line : `  ${line}`))
    })
  const legend = [
    paint("warn", ". queued"),
    paint("accent", "= boot"),
    paint("dim", "- carried"),
    paint("good", "# ran")
  ].join("   ")
  return [
    `mean times of the last ${count(calls, "call")}${isOneParent ? ` of ${functions[0]!.parent}` : ""}`,
    "",
    ...table(paint, heading, rows, width, true),
    "",
    ...bars,
    legend,
    ...(boots.length === 0 ? [] : ["", ...boots])
  ]
}
