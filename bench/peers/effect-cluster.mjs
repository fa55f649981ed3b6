// effect/cluster: a client-only member calls an Entity that lives on another process, over NodeClusterSocket (stock, binary).
// Volatile messages (no Persisted annotation), static runner list instead of SQL, MessageStorage noop.
import { Cause, Effect, ManagedRuntime, Stream } from "effect"
import { makeEffectPeer } from "../caller/effect-loops.mjs"
import { freePort, startChild, stopChild } from "../work/children.mjs"
import { ofClient } from "./shared/effect-api.mjs"
import { clusterLayer, Work } from "./shared/effect-cluster-api.mjs"

const effectPeer = makeEffectPeer({ Cause, Effect, Stream })

/** Finds one entity per process. An entity is hashed to a shard, and a shard belongs to a process. */
const entityPerProcess = async (run, clientFor, workers) => {
  const byPid = new Map()
  for (let i = 0; i < 64 && byPid.size < workers; i++) {
    const client = clientFor(`e${i}`)
    const pid = await run(client.pid())
    if (!byPid.has(pid)) byPid.set(pid, client)
  }
  return byPid
}

export const start = async ({ workers, kase }) => {
  const bounded = kase === "queue"
  const ports = []
  for (let i = 0; i < workers; i++) ports.push(await freePort())
  const kids = await Promise.all(
    ports.map((_, me) => startChild("effect-cluster-runner.mjs", [JSON.stringify({ ports, me, bounded })]))
  )
  const rt = ManagedRuntime.make(clusterLayer(ports, undefined, bounded))
  const run = (e) => rt.runPromise(e)
  const byPid = await entityPerProcess(run, await run(Work.client), workers)
  const [[firstPid, client]] = byPid
  return effectPeer({
    run,
    ...ofClient(client),
    ...(workers > 1 ? { lanes: [...byPid.values()].map((c) => (a) => c.spin(a)) } : {}),
    pids: () => [firstPid],
    close: async () => {
      await rt.dispose()
      await Promise.all(kids.map((k) => stopChild(k.proc)))
    }
  })
}
