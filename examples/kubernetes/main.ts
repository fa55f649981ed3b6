/**
 * The program of `examples/weigh` as a service in a cluster: `curl /weigh` weighs the packages of its image on runner
 * pods and answers with the table. How to deploy it: README.md beside this file.
 *
 * A runner pod is this container again, so this file is what both load: the parent's part is loaded by the parent, the
 * minifier by runners.
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
  // in a cluster these are pods; FLAME_MAX and the like in the Deployment's environment win
  flame: FlameLayer.auto({ max: 4, idleTimeToLive: "10 seconds", cancelGrace: "2 seconds" })
}).pipe(Flame.runMain)
