// The far side of Effect RPC in a worker thread.
import { NodeRuntime, NodeWorkerRunner } from "@effect/platform-node"
import { Layer } from "effect"
import { RpcServer } from "effect/rpc"
import { handlers, WorkRpcs } from "../shared/effect-api.mjs"

const layer = RpcServer.layer(WorkRpcs, { disableFatalDefects: true }).pipe(
  Layer.provide(WorkRpcs.toLayer(WorkRpcs.of(handlers))),
  Layer.provide(RpcServer.layerProtocolWorkerRunner),
  Layer.provide(NodeWorkerRunner.layer)
)
NodeRuntime.runMain(Layer.launch(layer))
