/**
 * The program of `examples/weigh` as a service in a cluster: `GET /weigh` weighs the packages of its image on runner pods and
 * answers with the table. README.md beside this file says how to deploy it.
 *
 * A runner pod runs the same container as the parent, so both roles load this file. Only the parent loads `Server.ts`, and
 * only runners load the minifier.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Flame, FlameLayer } from "effect-flame"
import { Minifier } from "../weigh/Minifier.ts"
import { weighLive } from "../weigh/WeighLive.ts"

Flame.main({
  functions: [weighLive],
  services: Minifier.layer,
  app: Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./Server.ts")),
      ({ Server }) => Server
    )
  ),
  // Pods in a cluster, child processes elsewhere. FLAME_MAX and other variables of the Deployment override these options.
  flame: FlameLayer.auto({ max: 4, idleTimeToLive: "10 seconds", cancelGrace: "2 seconds" })
}).pipe(Flame.runMain)
