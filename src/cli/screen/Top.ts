/** Pure: a screen of `top`. */
import type { PoolDocument, StatusDocument } from "../../status/record/StatusDocument.ts"
import type { RunnerView } from "../cluster/Inventory.ts"
import { age, type Cell, clip, clipPainted, type Paint, table, type Tone, wrapped } from "./Style.ts"
import { printableLine } from "../../error/PeerText.ts"
import { count, spoken } from "../../time/Spoken.ts"

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

/** The widest sparkline, and the narrowest one that is worth its room. */
const spark = { most: 30, least: 8 }

const summary = (pool: PoolDocument, paint: Paint, width: number): string => {
  const text = figures(pool, paint)
  const room = Math.min(spark.most, width - figures(pool, (_, text) => text).length - 2)
  return room < spark.least ? text : `${text}  ${paint("good", sparkline(pool.history.ended, room))}`
}

const figures = (pool: PoolDocument, paint: Paint): string => {
  const failing = rateOf(pool, "failed")
  const runners = pool.ready + pool.booting + pool.draining
  return [
    paint("bold", printableLine(pool.pool)),
    `${runners}/${pool.max} runners${pool.booting === 0 ? "" : paint("accent", ` (${pool.booting} booting)`)}`,
    `${pool.busySlots} busy`,
    paint(pool.waiting === 0 ? "plain" : "warn", `${pool.waiting} waiting`),
    `${rate(rateOf(pool, "ended"))} calls/s`,
    ...(failing === 0 ? [] : [paint("bad", `${rate(failing)} failing/s`)])
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

/** Runners that serve come last: the others tell why calls wait. */
const byNeed = (runners: ReadonlyArray<Runner>): ReadonlyArray<Runner> =>
  runners.toSorted((left, right) => Number(left.state === "ready") - Number(right.state === "ready"))

/** Milliseconds since a runner became ready, or since its boot began. */
const ageOf = ({ age, id }: Runner, { boots }: PoolDocument): number | undefined =>
  age ?? boots.find(({ outcome, runner }) => runner === id && outcome === "booting")?.took

const runnersOf = (pool: PoolDocument, paint: Paint, width: number): ReadonlyArray<string> =>
  pool.runners.length === 0
    ? [paint("dim", "  no runner")]
    : table(
        paint,
        ["  RUNNER", "STATE", "CALLS", "WHERE", "AGE", "RUNNING"],
        byNeed(pool.runners).map((runner) => {
          const since = ageOf(runner, pool)
          return [
            `  ${runner.id}`,
            state(runner.waitsFor === undefined ? runner.state : "waiting"),
            `${runner.calls}/${pool.concurrency}`,
            runner.labels["node"] ?? (runner.labels["pid"] === undefined ? "-" : `pid ${runner.labels["pid"]}`),
            since === undefined ? "-" : age(since),
            doing(runner)
          ]
        }),
        width,
        pool.runners.some(({ waitsFor }) => waitsFor !== undefined)
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

type Failure = PoolDocument["failures"][number]

/** The failures of one kind as words. */
const happened = ({ count: number, function: name, kind }: Failure): string => {
  if (kind === "boot") return `${count(number, "boot")} failed`
  if (kind === "lost") return `${count(number, "runner")} lost`
  if (kind === "outage") return count(number, "outage")
  return `${count(number, kind)}${name === undefined ? "" : ` of ${name}`} failed`
}

/** Lines that the message of one failure may take. */
const mostLines = 3

const failureOf = (failure: Failure, at: number, paint: Paint, width: number): ReadonlyArray<string> => {
  const { message, tag } = failure
  const last = `${failure.count === 1 ? "" : "last "}${age(at - failure.at)} ago`
  const text = `${happened(failure)}, ${last}: ${tag}${message === "" ? "" : `: ${message}`}`
  const lines = wrapped(printableLine(text), width - 4)
  const kept = lines.slice(0, mostLines)
  const rest = lines.length > mostLines ? [`${(kept.pop() ?? "").slice(0, width - 8).trimEnd()} ...`] : []
  return [...kept, ...rest].map((line, row) => `${row === 0 ? "  " : "    "}${paint("bad", line)}`)
}

/** Failures that are shown of one pool. */
const most = 5

const failuresOf = ({ failures }: PoolDocument, at: number, paint: Paint, width: number): ReadonlyArray<string> =>
  failures.slice(0, most).flatMap((failure) => failureOf(failure, at, paint, width))

/** Parts with an empty line between them, without the empty ones. */
const apart = (...parts: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> =>
  parts.filter((lines) => lines.length > 0).flatMap((lines, at) => (at === 0 ? lines : [""].concat(lines)))

const poolLines = (
  pool: PoolDocument,
  at: number,
  paint: Paint,
  width: number,
  isLater: boolean
): ReadonlyArray<string> => [
  ...(isLater ? [""] : []),
  summary(pool, paint, width),
  // Many runners would push failures off the screen.
  ...apart(failuresOf(pool, at, paint, width), functionsOf(pool, paint, width), runnersOf(pool, paint, width))
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
    width,
    true
  )

const parentLines = (parent: TopParent, now: number, paint: Paint, width: number): ReadonlyArray<string> => {
  const { document, runners } = parent
  const name = printableLine(parent.name)
  const silence = parent.silence === undefined ? undefined : printableLine(parent.silence)
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
export const fit = (all: ReadonlyArray<string>, { columns, rows, scroll }: View, paint: Paint): Fitted => {
  // A line that the terminal wraps would push the first one off the screen.
  const [head = "", ...rest] = all.map((line) => clipPainted(line, columns))
  const room = Math.max(1, rows - 2)
  const from = Math.min(Math.max(0, scroll), Math.max(0, rest.length - room))
  const shown = rest.slice(from, from + room)
  const more = rest.length - from - shown.length
  const foot = paint("dim", clip(more === 0 ? keys : `${keys}   ${count(more, "line")} below`, columns))
  const blank = Array.from({ length: room - shown.length }, () => "")
  return { lines: [head, ...shown, ...blank, foot], scroll: from }
}
