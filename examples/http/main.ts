/**
 * A web server whose route calls a function: `node examples/http/main.ts`, then `curl localhost:3000/primes/5000000`.
 *
 * Many users share the runners. A client that hangs up cancels the function of its request on the runner. A request beyond
 * the queue's capacity is answered with 503, a request over its budget with 504. On SIGTERM requests in flight finish first.
 */
import { availableParallelism } from "node:os"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Flame, FlameLayer } from "effect-flame"
import { countPrimes } from "./Primes.ts"

Flame.main({
  functions: [countPrimes],
  app: Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./Server.ts")),
      ({ Server }) => Server
    )
  ),
  flame: FlameLayer.auto({ max: availableParallelism(), queueCapacity: 100, timeout: "30 seconds" })
}).pipe(Flame.runMain)
