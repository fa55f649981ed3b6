/** Time for durations: milliseconds on the monotonic clock, which no clock setting changes. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds since an arbitrary moment in the past. Only differences are meaningful. */
export const uptime: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)
