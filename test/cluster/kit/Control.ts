/** The test's side of a parent in the cluster: makes calls, reads status and events. */
import { request } from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { PoolEvent, PoolStatus } from "../../../src/pool/status/PoolEvent.ts"
import { Watch } from "../../fixtures/conformance-process/harness.ts"
import { patience } from "../../fixtures/conformance-process/patience.ts"
import type { Order, Outcome } from "../apps/control.ts"

/** The outcome of a call; or that the parent could not be reached, or ended before it answered. */
export type Result = Outcome | { readonly _tag: "NotReached" | "NoAnswer" }

/** The address where a parent listens to its test. */
export interface Place {
  readonly host: string
  readonly port: number
}

type Answer = { readonly text: string } | "NotReached" | "NoAnswer"

const ask = (at: Place, path: string, body?: string): Effect.Effect<Answer> =>
  Effect.callback<Answer>((resume) => {
    // The parent sends the head of its answer as soon as it has the request. A connection that the kernel took for a server
    // that closes meanwhile never reaches the parent.
    let hasAnswer = false
    const sent = request({ ...at, path, method: body === undefined ? "GET" : "POST", agent: false })
    sent.on("error", () => resume(Effect.succeed(hasAnswer ? "NoAnswer" : "NotReached")))
    sent.on("response", (response) => {
      hasAnswer = true
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => (text += chunk))
      response.on("error", () => {})
      response.on("close", () => resume(Effect.succeed(response.complete ? { text } : "NoAnswer")))
    })
    sent.end(body)
    return Effect.sync(() => sent.destroy())
  })

/** Controls one life of a parent. */
export class Control {
  readonly events: Watch
  private readonly at: Place

  constructor(at: Place, events: Watch) {
    this.at = at
    this.events = events
  }

  /** Makes a call on the parent and returns the outcome. */
  call(name: string, payload?: unknown, options: { readonly timeout?: number } = {}): Effect.Effect<Result> {
    const order: Order = { function: name, payload, ...options }
    return Effect.map(ask(this.at, "/call", JSON.stringify(order)), (answer): Result =>
      typeof answer === "string" ? { _tag: answer } : (JSON.parse(answer.text) as Outcome)
    )
  }

  /** The status of the parent's pool. */
  get status(): Effect.Effect<PoolStatus> {
    return Effect.map(ask(this.at, "/status"), (answer) => {
      if (typeof answer === "string") throw new Error(`the parent at ${this.at.host} says no status: ${answer}`)
      return JSON.parse(answer.text) as PoolStatus
    })
  }
}

/** Waits until a parent listens, and follows its events until the Scope closes or the parent ends. */
export const connect = (host: string, port = 8080): Effect.Effect<Control, never, Scope.Scope> =>
  Effect.gen(function* () {
    const events = new Watch()
    const connected = Effect.callback<() => void>((resume) => {
      let timer: NodeJS.Timeout | undefined
      let sent: ReturnType<typeof request> | undefined
      const dial = () => {
        const mine = request({ host, port, path: "/events", agent: false })
        sent = mine
        // The parent runs, but does not listen yet. Nothing announces that it does.
        mine.on("error", () => (timer = setTimeout(dial, 20)))
        mine.on("response", (response) => {
          mine.removeAllListeners("error")
          mine.on("error", () => {})
          let rest = ""
          response.setEncoding("utf8")
          response.on("data", (chunk: string) => {
            const lines = (rest + chunk).split("\n")
            rest = lines.pop() ?? ""
            for (const line of lines) events.take(JSON.parse(line) as PoolEvent)
          })
          response.on("error", () => {})
          resume(Effect.succeed(() => void mine.destroy()))
        })
        mine.end()
      }
      dial()
      return Effect.sync(() => {
        clearTimeout(timer)
        sent?.destroy()
      })
    }).pipe(patience(() => `the parent at ${host} listens`))
    yield* Effect.acquireRelease(connected, (stop) => Effect.sync(stop))
    return new Control({ host, port }, events)
  })
