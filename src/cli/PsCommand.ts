/** The command `ps`. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { Cluster } from "./cluster/Cluster.ts"
import * as Inventory from "./cluster/Inventory.ts"
import * as Snapshots from "./cluster/Snapshots.ts"
import * as Flags from "./Flags.ts"
import * as Ps from "./Ps.ts"
import * as Terminal from "./Terminal.ts"

/** Prints the parents of the namespace and their runners. */
export const ps = (asJson: boolean) =>
  Effect.gen(function* () {
    const { client } = yield* Cluster
    const { columns, paint } = yield* Terminal.Terminal
    const snapshot = yield* Snapshots.read.pipe(Terminal.spinning(`reading namespace ${client.namespace}`))
    const parents = Inventory.parentsOf(snapshot)
    const where = { namespace: client.namespace, server: client.server, now: snapshot.now }
    yield* asJson
      ? Terminal.json(Ps.document(parents, where))
      : Terminal.lines(Ps.screen(parents, where, paint, columns))
  })

export const command = Command.make("ps", { ...Flags.target, json: Flags.json }, ({ json, ...target }) =>
  Effect.provide(ps(json), Flags.clusterOf(target))
).pipe(
  Command.withDescription("Show parents, their pools and runners: state, node, age, and what a boot waits for."),
  Command.withShortDescription("Show parents and their runners"),
  Command.withExamples([
    { command: "effect-flame ps -n shop", description: "All runners of a namespace" },
    {
      command: `effect-flame ps --json | jq -r '.parents[].runners[] | select(.state == "waiting") | .detail'`,
      description: "What boots wait for"
    }
  ])
)
