/** Turns each event of a pool into a line for people. */
import { printableLine } from "../../error/PeerText.ts"
import type { PoolEvent } from "../../pool/status/PoolEvent.ts"

/** An event, as `GET /events` sends it. */
export interface StatusEvent {
  readonly at: number
  readonly pool: string
  readonly tag: PoolEvent["_tag"]
  readonly runner?: string
  readonly text: string
}

/** Characters of a line. The list of failures has the whole message. */
const longest = 300

const seconds = (millis: number): string => `${(millis / 1_000).toFixed(1)} s`

const textOf = (event: PoolEvent): string => {
  switch (event._tag) {
    case "BootStarted":
      return "boots"
    case "BootProgress":
      return `${event.phase === "waiting" ? "waits" : event.phase}${event.detail === undefined ? "" : `: ${event.detail}`}`
    case "RunnerReady":
      return `is ready${event.otherBuild === undefined ? "" : `, with another build: ${event.otherBuild}`}`
    case "BootFailed":
      return `did not boot: ${event.cause.message}`
    case "BootGivenUp":
      return "is not needed any more, and was given up while it booted"
    case "RunnerUnresponsive":
      return "does not answer"
    case "RunnerResponsive":
      return "answers again"
    case "RunnerStuck":
      return `does not stop ${event.function}`
    case "RunnerLeaving":
      return `is removed by somebody else: ${event.why}`
    case "RunnerDraining":
      return `drains (${event.why})`
    case "RunnerGone":
      return `${event.why === undefined ? "is lost" : "is gone"}: ${event.exit.reason.message}`
    case "LateReason":
      return `was lost: ${event.exit.reason.message}`
    case "OutageBegan":
      return `runners cannot be made: ${event.detail}`
    case "OutageEnded":
      return `runners can be made again, after ${seconds(event.after)}`
    case "CastFailed":
      return `a cast of ${event.function} failed: ${event.message}`
    case "PoolClosing":
      return "the pool closes"
  }
}

export const statusEvent = (event: PoolEvent, at: number): StatusEvent => ({
  at,
  pool: event.pool,
  tag: event._tag,
  ...("runner" in event ? { runner: event.runner } : {}),
  text: printableLine(textOf(event), longest)
})
