/** Durations as people type them in flags. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CommandFailed } from "./cluster/CommandFailed.ts"

const units = { ms: "millis", s: "seconds", m: "minutes", min: "minutes", h: "hours", d: "days" } as const

/** A finite duration such as `30s`, `5m` or `90 seconds`. Fails for any other text, with the name of the flag. */
export const parse = (flag: string, text: string): Effect.Effect<Duration.Duration, CommandFailed> => {
  const [, number, unit] = /^(\d+(?:\.\d+)?) *(ms|s|m|min|h|d)$/.exec(text.trim()) ?? []
  const words = number === undefined ? text.trim() : `${number} ${units[unit as keyof typeof units]}`
  const parsed = Duration.fromInput(words as Duration.Input)
  const isFinite = Option.isSome(parsed) && Number.isFinite(Duration.toMillis(parsed.value))
  return isFinite && Duration.toMillis(parsed.value) >= 0
    ? Effect.succeed(parsed.value)
    : Effect.fail(new CommandFailed({ status: 2, message: `--${flag} ${text} is no duration: write 30s, 5m or 2h` }))
}
