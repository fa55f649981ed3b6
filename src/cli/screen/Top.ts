/** Pure: a screen of `top`. */
import type { PoolDocument, StatusDocument } from "../../status/record/StatusDocument.ts"
import type { RunnerView } from "../cluster/Inventory.ts"
import { age, type Cell, clip, count, type Paint, table, type Tone } from "./Style.ts"
import { spoken } from "../../time/Spoken.ts"

/** A parent on the screen. */
export interface TopParent {
  readonly name: string
  /** The latest status; undefined before the first one, and for a parent that does not answer. */
  readonly document: StatusDocument | undefined
  /** The runners by their pods, for a parent that does not answer. */
  readonly runners: ReadonlyArray<RunnerView>
  /** Why there is no newer status. */
  readonly silence: string | undefined
}

/** The size of the terminal, and the lines that are scrolled away. */
export interface View {
  readonly columns: number
  readonly rows: number
  readonly scroll: number
}

/** Seconds over which a rate is measured. */
const window = 10

const recent = (values: ReadonlyArray<number>): ReadonlyArray<number> => values.slice(-window)

/** Entries of a pool's history per second. */
export const rateOf = ({ history }: PoolDocument, of: "ended" | "failed"): number => {
  const values = recent(history[of])
  return values.length === 0
    ? 0
    : values.reduce((sum, each) => sum + each, 0) / ((values.length * history.every) / 1_000)
}

const rate = (value: number): string => (value >= 10 ? value.toFixed(0) : value.toFixed(1))

const levels = ["\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"]

/** A line of blocks, the highest value at the full height. */
export const sparkline = (values: ReadonlyArray<number>, width: number): string => {
  const shown = values.slice(-width)
  const most = Math.max(...shown, 0)
  return shown.map((value) => (most === 0 ? levels[0] : levels[Math.round((value / most) * 7)])).join("")
}

const tones: Readonly<Record<string, Tone>> = {
  ready: "good",
  running: "good",
  booting: "accent",
  waiting: "warn",
  unresponsive: "bad",
  ended: "bad",
  draining: "dim",
  leaving: "dim"
}

const state = (text: string): Cell => [tones[text] ?? "plain", text]

const summary = (pool: PoolDocument, paint: Paint): string => {
  const failing = rateOf(pool, "failed")
  const runners = pool.ready + pool.booting + pool.draining
  return [
    paint("bold", pool.pool),
    `${runners}/${pool.max} runners${pool.booting === 0 ? "" : paint("accent", ` (${pool.booting} booting)`)}`,
    `${pool.busySlots} busy`,
    paint(pool.waiting === 0 ? "plain" : "warn", `${pool.waiting} waiting`),
    `${rate(rateOf(pool, "ended"))} calls/s`,
    ...(failing === 0 ? [] : [paint("bad", `${rate(failing)} failing/s`)]),
    paint("good", sparkline(pool.history.ended, 30))
  ].join("  ")
}

type Runner = PoolDocument["runners"][number]

/** The activity of a runner: its calls, or the step and the wait of its boot. */
const doing = ({ phase, running, state: is, waitsFor }: Runner): string =>
  is === "booting"
    ? (waitsFor ?? `reached ${phase}`)
    : running
        .map(({ function: name, since, state: at }) => `${name} ${age(since)}${at === "running" ? "" : ` ${at}`}`)
        .join(", ")

const runnersOf = ({ concurrency, runners }: PoolDocument, paint: Paint, width: number): ReadonlyArray<string> =>
  runners.length === 0
    ? [paint("dim", "  no runner")]
    : table(
        paint,
        ["  RUNNER", "STATE", "CALLS", "WHERE", "AGE", "RUNNING"],
        runners.map((runner) => [
          `  ${runner.id}`,
          state(runner.waitsFor === undefined ? runner.state : "waiting"),
          `${runner.calls}/${concurrency}`,
          runner.labels["node"] ?? (runner.labels["pid"] === undefined ? "-" : `pid ${runner.labels["pid"]}`),
          runner.age === undefined ? "-" : age(runner.age),
          doing(runner)
        ]),
        width
      )

const functionsOf = ({ functions }: PoolDocument, paint: Paint, width: number): ReadonlyArray<string> =>
  functions.length === 0
    ? []
    : table(
        paint,
        ["  FUNCTION", "RUNNING", "CALLS", "FAILED", "P50", "P99"],
        functions
          .slice(0, 10)
          .map((each) => [
            `  ${each.name}`,
            String(each.running),
            String(each.calls),
            each.failed === 0 ? "-" : ["bad", String(each.failed)],
            each.p50 === undefined ? "-" : spoken(each.p50),
            each.p99 === undefined ? "-" : spoken(each.p99)
          ]),
        width
      )

const failuresOf = ({ failures }: PoolDocument, at: number, paint: Paint, width: number): ReadonlyArray<string> =>
  failures.length === 0
    ? []
    : table(
        paint,
        ["  FAILURE", "TIMES", "LAST", "WHERE", "MESSAGE"],
        failures
          .slice(0, 5)
          .map((each) => [
            `  ${each.kind}`,
            String(each.count),
            age(at - each.at),
            each.function ?? each.runner ?? "-",
            ["bad", `${each.tag}: ${each.message}`]
          ]),
        width
      )

const withGap = (lines: ReadonlyArray<string>): ReadonlyArray<string> => (lines.length === 0 ? [] : ["", ...lines])

const poolLines = (
  pool: PoolDocument,
  at: number,
  paint: Paint,
  width: number,
  isLater: boolean
): ReadonlyArray<string> => [
  ...(isLater ? [""] : []),
  summary(pool, paint),
  ...runnersOf(pool, paint, width),
  ...withGap(functionsOf(pool, paint, width)),
  ...withGap(failuresOf(pool, at, paint, width))
]

const byLabels = (
  runners: ReadonlyArray<RunnerView>,
  now: number,
  paint: Paint,
  width: number
): ReadonlyArray<string> =>
  table(
    paint,
    ["  RUNNER", "POOL", "STATE", "WHERE", "AGE", "DETAIL"],
    runners.map((runner) => [
      `  ${runner.id}`,
      runner.pool,
      state(runner.state),
      runner.node ?? "-",
      age(now - runner.createdAt),
      runner.detail ?? ""
    ]),
    width
  )

const parentLines = (parent: TopParent, now: number, paint: Paint, width: number): ReadonlyArray<string> => {
  const { document, name, runners, silence } = parent
  if (document === undefined) {
    const why = silence ?? "does not answer"
    return [
      `${paint("bold", name)}  ${paint("dim", clip(why, width))}`,
      ...(runners.length === 0 ? [] : byLabels(runners, now, paint, width))
    ]
  }
  const up = age(document.at - document.parent.startedAt)
  return [
    `${paint("accent", name)}  up ${up}${silence === undefined ? "" : paint("warn", `  ${silence}`)}`,
    ...document.pools.flatMap((pool, at) => poolLines(pool, document.at, paint, width, at > 0))
  ]
}

/** All lines, without regard to the height of the terminal. */
export const lines = (
  parents: ReadonlyArray<TopParent>,
  title: string,
  now: number,
  paint: Paint,
  width: number
): ReadonlyArray<string> => {
  const pools = parents.flatMap(({ document }) => document?.pools ?? [])
  const runners = parents.reduce(
    (sum, { document, runners }) =>
      sum +
      (document === undefined ? runners.length : document.pools.reduce((all, pool) => all + pool.runners.length, 0)),
    0
  )
  const total = pools.reduce((sum, pool) => sum + rateOf(pool, "ended"), 0)
  const head = `${paint("bold", "effect-flame top")}  ${title}  ${count(parents.length, "parent")}, ${count(runners, "runner")}, ${rate(total)} calls/s  ${new Date(now).toISOString().slice(11, 19)}`
  return [head, ...parents.flatMap((parent) => ["", ...parentLines(parent, now, paint, width)])]
}

const keys = "q quit   up/down scroll"

/** The lines of a terminal, and the number of lines that are scrolled away. */
export interface Fitted {
  readonly lines: ReadonlyArray<string>
  readonly scroll: number
}

/** The lines that fit the terminal: the first one stays, the last one names the keys. */
export const fit = (all: ReadonlyArray<string>, { rows, scroll }: View, paint: Paint): Fitted => {
  const [head = "", ...rest] = all
  const room = Math.max(1, rows - 2)
  const from = Math.min(Math.max(0, scroll), Math.max(0, rest.length - room))
  const shown = rest.slice(from, from + room)
  const more = rest.length - from - shown.length
  const foot = paint("dim", more === 0 ? keys : `${keys}   ${count(more, "line")} below`)
  const blank = Array.from({ length: room - shown.length }, () => "")
  return { lines: [head, ...shown, ...blank, foot], scroll: from }
}
