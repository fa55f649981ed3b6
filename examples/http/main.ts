/**
 * A web server whose route calls a function: `node examples/http/main.ts`, then `curl localhost:3000/primes/5000000`.
 *
 * Many users at once share the runners. One who hangs up cancels the function of the request where it runs; one too
 * many gets 503, one who would wait too long 504. SIGTERM lets the requests in flight end, then leaves nothing behind.
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
