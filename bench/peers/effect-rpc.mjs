// Effect's own RPC, wired by hand as a user would. tcp: stock, SchemaBinary (the fastest stock serialization), noDelay on both ends.
// tuned: + disableTracing on both ends + writes coalesced per tick. worker: RpcClient's Worker protocol (worker_threads, its own
// pool). worker-transfer: the same with Transferable.Uint8Array for the 64 MiB result.
import { NodeSocket, NodeWorker } from "@effect/platform-node"
import { Cause, Effect, Layer, ManagedRuntime, Scope, Stream } from "effect"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Worker } from "node:worker_threads"
import { makeEffectPeer } from "../caller/effect-loops.mjs"
import { delayed } from "../work/delay.mjs"
import { far, startChild, stopChild } from "../work/children.mjs"
import { ofClient, WorkRpcs } from "./shared/effect-api.mjs"

const effectPeer = makeEffectPeer({ Cause, Effect, Stream })

const connect = async (layer, disableTracing) => {
  const rt = ManagedRuntime.make(layer)
  const make = RpcClient.make(WorkRpcs, { disableTracing })
  const client = await rt.runPromise(Effect.provideService(make, Scope.Scope, Scope.makeUnsafe()))
  return { rt, client }
}

const startThreads = async (workers, variant, exclusive) => {
  const protocol = RpcClient.layerProtocolWorker({ size: workers, concurrency: exclusive ? 1 : 64 })
  const spawn = NodeWorker.layer(() => new Worker(far("effect-rpc-worker.mjs")))
  const { rt, client } = await connect(Layer.provide(protocol, spawn), false)
  return effectPeer({
    run: (e) => rt.runPromise(e),
    ...ofClient(client),
    ...(variant === "worker-transfer" ? { blob: (a) => client.blobTransfer(a) } : {}),
    pids: () => [],
    kill: () => {
      rt.runPromise(client.exit()).catch(() => {})
      return "thread calls process.exit(7)"
    },
    close: () => rt.dispose()
  })
}

const startChildren = async (workers, variant, line) => {
  const tuned = variant === "tuned"
  const autocork = tuned ? await import("./shared/autocork.ts") : undefined
  const one = async () => {
    const kid = await startChild("effect-rpc-server.mjs", [variant])
    const port = line ? await delayed(kid.ready, line / 2) : kid.ready
    const options = { ...port, noDelay: true }
    const layer = RpcClient.layerProtocolSocket().pipe(
      Layer.provide(tuned ? autocork.layerNet(options, "first") : NodeSocket.layerNet(options)),
      Layer.provide(RpcSerialization.layerSchemaBinary({ maxFrameSize: "unbounded" }))
    )
    return { ...kid, ...(await connect(layer, tuned)) }
  }
  const kids = await Promise.all(Array.from({ length: workers }, one))
  return effectPeer({
    run: (e) => kids[0].rt.runPromise(e),
    ...ofClient(kids[0].client),
    ...(workers > 1 ? { lanes: kids.map((k) => (a) => k.client.spin(a)) } : {}),
    isFar: line !== undefined,
    pids: () => kids.map((k) => k.pid),
    close: async () => {
      await Promise.all(kids.map((k) => k.rt.dispose()))
      await Promise.all(kids.map((k) => stopChild(k.proc)))
    }
  })
}

export const start = ({ workers, variant, exclusive, line }) =>
  variant.startsWith("worker") ? startThreads(workers, variant, exclusive) : startChildren(workers, variant, line)
