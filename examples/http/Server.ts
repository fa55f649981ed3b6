/** The web server, which only the parent loads: a route that calls a function, and the HTTP status of each error. */
import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Config, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Flame, type FlameError } from "effect-flame"
import { countPrimes } from "./Primes.ts"

const Params = Schema.Struct({
  below: Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 0, maximum: 1e9 }))
})

// When a client hangs up, this fiber is interrupted, and the interruption stops the function on its runner.
const Primes = HttpRouter.add(
  "GET",
  "/primes/:below",
  Effect.gen(function* () {
    const { below } = yield* HttpRouter.schemaPathParams(Params)
    const count = yield* Flame.call(countPrimes, { below })
    return HttpServerResponse.jsonUnsafe({ below, count })
  }).pipe(
    Effect.catchTag("SchemaError", ({ message }) => Effect.succeed(problem(400, message))),
    Effect.catchTag("FlameError", (error) => Effect.succeed(unavailable(error)))
  )
)

const problem = (status: number, message: string, headers: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.jsonUnsafe({ message }, { status, headers })

/** The answer to a request that the pool could not serve: status, and when to try again. */
const unavailable = ({ message, reason }: FlameError.FlameError) => {
  switch (reason._tag) {
    case "QueueFull":
      return problem(503, message, { "retry-after": "1" })
    case "PoolClosed":
      return problem(503, message, { "retry-after": "10" })
    case "TimedOut":
      return problem(504, message)
    default:
      return problem(500, message)
  }
}

/** Listens on `PORT`, or 3000. */
export const Server = HttpRouter.serve(Primes).pipe(
  Layer.provide(NodeHttpServer.layerConfig(createServer, { port: Config.Int("PORT").pipe(Config.withDefault(3000)) }))
)
