/** An app that places one service on a runner and does nothing else. */
import { hostname } from "node:os"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { enter } from "../../fixtures/conformance-process/actor.ts"

class Presence extends RpcGroup.make(Rpc.make("where", { success: Schema.String })) {}

/** Reports on the stage from its construction to its end. */
const presence = Flame.service("presence", { group: Presence, payload: { key: Schema.String } }, ({ key }) =>
  Presence.toLayer(
    Effect.gen(function* () {
      const actor = yield* enter(key)
      yield* actor.say("started")
      yield* Effect.addFinalizer(() => actor.say("finalized"))
      return Presence.of({ where: () => Effect.sync(hostname) })
    })
  )
)

Flame.main({
  functions: [presence],
  app: Effect.scoped(
    Effect.gen(function* () {
      const client = yield* Flame.place(presence, { key: "service" })
      console.log(`it is in ${yield* client.where()}`)
      yield* Effect.never
    })
  ),
  flame: FlameLayer.auto(JSON.parse(process.env["TEST_OPTIONS"] ?? "{}") as FlameLayer.AutoOptions)
}).pipe(Flame.runMain)
