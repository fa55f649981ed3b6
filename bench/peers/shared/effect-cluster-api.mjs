// An entity type with the benchmark's functions, and a RunnerStorage with a fixed list of runners instead of an SQL database.
import { NodeClusterSocket } from "@effect/platform-node"
import { Effect, Layer, Logger, Option } from "effect"
import { Entity, MachineId, MessageStorage, Runner, RunnerAddress, RunnerStorage } from "effect/cluster"
import { handlers, rpcs } from "./effect-api.mjs"

const { blobTransfer: _, ...entityRpcs } = rpcs
export const Work = Entity.make("Work", Object.values(entityRpcs))
export const entityHandlers = Object.fromEntries(
  Object.keys(entityRpcs).map((name) => [name, ({ payload }) => handlers[name](payload)])
)

const runnerAt = (port) =>
  Runner.make({ address: RunnerAddress.make("127.0.0.1", port), groups: ["default"], weight: 1 })

const staticStorage = (ports, me) =>
  Layer.succeed(RunnerStorage.RunnerStorage)(
    RunnerStorage.RunnerStorage.of({
      getRunners: Effect.sync(() => ports.map((port) => [runnerAt(port), true])),
      register: () => Effect.succeed(MachineId.make(me)),
      unregister: () => Effect.void,
      setRunnerHealth: () => Effect.void,
      acquire: (_address, shards) => Effect.sync(() => Array.from(shards)),
      refresh: (_address, shards) => Effect.sync(() => Array.from(shards)),
      release: () => Effect.void,
      releaseAll: () => Effect.void
    })
  )

/** The layer of a member. bounded: the stock mailbox of 4096 messages. Otherwise unbounded, so that 10 000 calls at once fit. */
export const clusterLayer = (ports, me, bounded) =>
  NodeClusterSocket.layer({
    storage: "byo",
    clientOnly: me === undefined,
    serializationMaxBufferSize: "unbounded",
    shardingConfig: {
      shardsPerGroup: 16,
      refreshAssignmentsInterval: 500,
      runnerAddress: me === undefined ? Option.none() : Option.some(RunnerAddress.make("127.0.0.1", ports[me])),
      ...(bounded ? {} : { entityMailboxCapacity: "unbounded" })
    }
  }).pipe(
    Layer.provideMerge(MessageStorage.layerNoop),
    Layer.provide(staticStorage(ports, me ?? 99)),
    Layer.provide(Logger.layer([]))
  )
