// The far side of effect/cluster: a runner process that hosts entities.
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { clusterLayer, entityHandlers, Work } from "../shared/effect-cluster-api.mjs"

const { ports, me, bounded } = JSON.parse(process.argv[2])
process.on("disconnect", () => process.exit(0))
const work = Work.toLayer(Work.of(entityHandlers), { concurrency: "unbounded", disableFatalDefects: true })
const layer = Layer.effectDiscard(Effect.sync(() => process.send("ready"))).pipe(
  Layer.provideMerge(work),
  Layer.provide(clusterLayer(ports, me, bounded))
)
NodeRuntime.runMain(Layer.launch(layer))
