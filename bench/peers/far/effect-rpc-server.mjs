// The far side of Effect RPC over TCP. argv: stock or tuned.
import { NodeRuntime, NodeSocketServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"
import { handlers, WorkRpcs } from "../shared/effect-api.mjs"

const tuned = process.argv[2] === "tuned"
const { layerServerAutoCork } = tuned ? await import("../shared/autocork.ts") : {}
const listen = NodeSocketServer.layer({ port: 0, host: "127.0.0.1", noDelay: true })
const announce = Effect.gen(function* () {
  const server = yield* SocketServer.SocketServer
  process.send({ port: server.address.port, host: "127.0.0.1" })
})
const serve = RpcServer.layer(WorkRpcs, { disableTracing: tuned, disableFatalDefects: true }).pipe(
  Layer.provide(WorkRpcs.toLayer(WorkRpcs.of(handlers)))
)
const layer = Layer.effectDiscard(announce).pipe(
  Layer.provideMerge(serve),
  Layer.provide(RpcServer.layerProtocolSocketServer),
  Layer.provideMerge(tuned ? layerServerAutoCork("first")(listen) : listen),
  Layer.provide(RpcSerialization.layerSchemaBinary({ maxFrameSize: "unbounded" }))
)
process.on("disconnect", () => process.exit(0))
NodeRuntime.runMain(Layer.launch(layer))
