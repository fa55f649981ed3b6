/** Pure: lines of runners: from a parent's stream, or from the log of a pod. */
import { printable, printableLine } from "../../error/PeerText.ts"
import type { Paint, Tone } from "./Style.ts"

/** A line of a runner. Times in milliseconds since 1970. */
export interface Line {
  readonly at: number
  readonly runner: string
  readonly message: string
  readonly level?: string
  readonly pool?: string
  readonly function?: string
}

/** A line of a parent's stream; undefined for anything else. */
export const ofParent = (text: string): Line | undefined => {
  try {
    const { at, function: name, level, message, pool, runner } = JSON.parse(text) as Partial<Line>
    if (typeof at !== "number" || typeof runner !== "string") return undefined
    return {
      at,
      runner,
      message: typeof message === "string" ? message : JSON.stringify(message),
      ...(level === undefined ? {} : { level: level }),
      ...(pool === undefined ? {} : { pool: pool }),
      ...(name === undefined ? {} : { function: name })
    }
  } catch {
    return undefined
  }
}

/** A line of a pod's log, which starts with its time. */
export const ofPod = (runner: string, text: string): Line => {
  const [, time, message] = /^(\S+) (.*)$/s.exec(text) ?? []
  const at = Date.parse(time ?? "")
  return Number.isNaN(at) ? { at: 0, runner, message: text } : { at, runner, message: message ?? "" }
}

const tones: Readonly<Record<string, Tone>> = {
  FATAL: "bad",
  ERROR: "bad",
  WARN: "warn",
  WARNING: "warn",
  DEBUG: "dim",
  TRACE: "dim"
}

const clock = (at: number): string => (at === 0 ? "--:--:--.---" : new Date(at).toISOString().slice(11, 23))

/** A line for a terminal: time, runner, function, level, message. */
export const worded = ({ at, function: name, level, message, runner }: Line, paint: Paint): string => {
  const word = level === undefined ? undefined : printableLine(level).toUpperCase()
  return [
    paint("dim", clock(at)),
    paint("accent", printableLine(runner)),
    ...(name === undefined ? [] : [paint("bold", printableLine(name))]),
    ...(word === undefined || word === "INFO" ? [] : [paint(tones[word] ?? "plain", word)]),
    printable(message).replaceAll("\n", "\n  ")
  ].join(" ")
}

/** The query of a parent's stream. */
export const pathOf = (options: {
  readonly function: string | undefined
  readonly since: number | undefined
  readonly follow: boolean
}): string => {
  const query = new URLSearchParams({
    ...(options.function === undefined ? {} : { function: options.function }),
    ...(options.since === undefined ? {} : { since: `${Math.round(options.since)}` }),
    ...(options.follow ? { follow: "1" } : {})
  }).toString()
  return query === "" ? "/logs" : `/logs?${query}`
}
