/**
 * Outages of the API server as one parent sees them. Each is reported once when it begins and once when it ends.
 *
 *   up ──failed──▶ failing ──failed again after `patience`──▶ down ──answered──▶ up
 *    ▲                │
 *    └────answered────┘
 */
import { uptime } from "../../time/Uptime.ts"
import * as Effect from "effect/Effect"

/** The beginning of an outage, or its end. Durations are in milliseconds. */
export type Outage =
  | { readonly _tag: "Began"; readonly server: string; readonly after: number; readonly detail: string }
  | { readonly _tag: "Ended"; readonly server: string; readonly after: number }

type State =
  | { readonly _tag: "Up" }
  | { readonly _tag: "Failing"; readonly since: number }
  | { readonly _tag: "Down"; readonly since: number }

/** Milliseconds without an answer that count as an outage: a restart behind a load balancer is shorter. */
const patience = 5_000

export class Outages {
  private state: State = { _tag: "Up" }
  private readonly listeners = new Set<(outage: Outage) => void>()
  private readonly server: string

  constructor(server: string) {
    this.server = server
  }

  /** Runs a listener for every outage, until the returned function is called. */
  listen(listener: (outage: Outage) => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** Records that a request got no answer, for the reason `detail`. */
  failed(detail: string): Effect.Effect<void> {
    return Effect.flatMap(uptime, (now) => {
      if (this.state._tag === "Up") this.state = { _tag: "Failing", since: now }
      const { _tag, since } = this.state
      if (_tag === "Down" || now - since < patience) return Effect.void
      this.state = { _tag: "Down", since }
      return this.report({ _tag: "Began", server: this.server, after: now - since, detail })
    })
  }

  /** Records that the API server answered. */
  get answered(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { state } = this
      this.state = { _tag: "Up" }
      if (state._tag !== "Down") return Effect.void
      return Effect.flatMap(uptime, (now) =>
        this.report({ _tag: "Ended", server: this.server, after: now - state.since })
      )
    })
  }

  private report(outage: Outage): Effect.Effect<void> {
    for (const listener of this.listeners) listener(outage)
    const seconds = Math.round(outage.after / 1_000)
    return outage._tag === "Began"
      ? Effect.logWarning(
          `the Kubernetes API at ${outage.server} has not answered for ${seconds} s (${outage.detail}): calls go on, and runners are neither created nor deleted until it answers`
        )
      : Effect.logWarning(`the Kubernetes API at ${outage.server} answers again after ${seconds} s`)
  }
}
