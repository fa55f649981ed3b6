/**
 * The HTTP server by which a test controls a parent in the cluster. The parent opens no connection to the test.
 *
 * `POST /call` sends the head of its answer at once, and then the outcome of the call. `GET /status` answers with the pool's
 * status, `GET /events` with all events, one JSON line each.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Flame from "../../../src/Flame.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { all } from "./functions.ts"

/** A call that the parent is to make. */
export interface Order {
  readonly function: string
  readonly payload?: unknown
  /** Milliseconds. */
  readonly timeout?: number
}

/** The outcome of a call: a value, a reason of a FlameError, a typed error by its tag, or a defect. */
export type Outcome =
  | { readonly _tag: "Success"; readonly value: unknown }
  | { readonly _tag: "Failure"; readonly error: string; readonly message: string; readonly fields: unknown }
  | { readonly _tag: "Died"; readonly message: string }

// Containers of one pod share its ports.
const port = Number(process.env["TEST_PORT"] ?? 8080)

const tagOf = (u: unknown): string => (typeof u === "object" && u !== null && "_tag" in u ? String(u._tag) : typeof u)

const outcome = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (Exit.isSuccess(exit)) return { _tag: "Success", value: exit.value }
  const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (failure === undefined) return { _tag: "Died", message: Cause.pretty(exit.cause) }
  const error = tagOf(failure) === "FlameError" ? (failure as { reason: unknown }).reason : failure
  return { _tag: "Failure", error: tagOf(error), message: (error as Error).message, fields: { ...(error as object) } }
}

const text = async (request: IncomingMessage): Promise<string> => {
  let body = ""
  for await (const chunk of request) body += String(chunk)
  return body
}

// The test knows the type of each function. Here all functions have one type.
type AnyCall = (fn: unknown, payload: unknown, options: object) => Effect.Effect<unknown, unknown, Pool>

const call = ({ function: name, payload, timeout }: Order): Effect.Effect<Outcome, never, Pool> => {
  const fn = all.find((fn) => fn.name === name)
  const made = (Flame.call as AnyCall)(fn, payload, timeout === undefined ? {} : { timeout })
  return Effect.map(Effect.exit(made), outcome)
}

/** Listens until the Scope closes. The close waits for the answers to calls in flight. */
const serve = (answer: (request: IncomingMessage, response: ServerResponse) => void) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer(answer)
      server.listen(port, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

/** Serves its test until the process ends. */
export const app: Effect.Effect<void, never, Pool | Scope.Scope> = Effect.gen(function* () {
  const pool = yield* Pool
  const context = yield* Effect.context<Pool>()
  const run = Effect.runPromiseWith(context)
  const seen: Array<string> = []
  const readers = new Set<ServerResponse>()
  yield* Effect.forkScoped(
    Stream.runForEach(pool.events, (event) =>
      Effect.sync(() => {
        const line = `${JSON.stringify(event)}\n`
        seen.push(line)
        for (const reader of readers) reader.write(line)
      })
    ),
    { startImmediately: true }
  )
  yield* serve((request, response) => {
    if (request.url === "/events") {
      response.write(seen.join(""))
      readers.add(response)
      return void response.on("close", () => readers.delete(response))
    }
    const json = (value: unknown) => response.end(JSON.stringify(value))
    if (request.url === "/status") return void run(pool.status).then(json)
    response.flushHeaders()
    void text(request).then(async (body) => json(await run(call(JSON.parse(body) as Order))))
  })
  // Runs before the server closes, because open event streams would keep the server open.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const reader of readers) reader.end()
    })
  )
  yield* Effect.sync(() => console.log("listening"))
  yield* Effect.never
})
