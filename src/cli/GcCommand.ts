/** The command `gc`. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { isAlive } from "../kubernetes/hub/ProcessMark.ts"
import { Cluster } from "./cluster/Cluster.ts"
import * as Leftovers from "./cluster/Leftovers.ts"
import * as NamespaceSearch from "./cluster/NamespaceSearch.ts"
import * as Snapshots from "./cluster/Snapshots.ts"
import { printed } from "./cluster/CommandFailed.ts"
import * as Flags from "./Flags.ts"
import * as Gc from "./screen/Gc.ts"
import * as Terminal from "./Terminal.ts"

const dryRun = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("Show what would be deleted, and delete nothing"),
  Flag.withDefault(false)
)

/** Deletes an object, if the object of that name is still the one that was judged. */
const remove = Effect.fnUntraced(function* ({ kind, name, uid }: Leftovers.Leftover) {
  const { client } = yield* Cluster
  switch (kind) {
    case "Pod":
      return yield* client.deletePod(name, { uid })
    case "Secret":
      return void (yield* client.deleteSecret(name, { uid }))
    case "Job":
      return void (client.deleteJob === undefined ? undefined : yield* client.deleteJob(name, { uid }))
  }
})

const noSecrets =
  "Secrets of parents were not looked at, because the right to list secrets is missing here: run gc as a user who may list them"
const noJobs =
  "Jobs of parents were not looked at, because the right to list jobs is missing here: parents outside of the cluster cannot be judged without"

/** Shows and deletes what is left of parents that are gone. Fails if an object could not be deleted. */
export const gc = (isDryRun: boolean, asJson: boolean) =>
  Effect.gen(function* () {
    const { client } = yield* Cluster
    const { columns, paint } = yield* Terminal.Terminal
    const snapshot = yield* Snapshots.read.pipe(Terminal.spinning(`reading namespace ${client.namespace}`))
    if ([...snapshot.pods, ...(snapshot.jobs ?? []), ...(snapshot.secrets ?? [])].length === 0) {
      const missing = yield* NamespaceSearch.missing
      if (missing !== undefined) return yield* Effect.fail(missing)
    }
    const judged = Leftovers.judge(snapshot, isAlive)
    const tries = isDryRun
      ? []
      : yield* Effect.forEach(
          judged.gone,
          (leftover) =>
            Effect.map(Effect.result(remove(leftover)), (result) => ({
              leftover,
              why: Result.isFailure(result) ? result.failure.message : undefined
            })),
          { concurrency: 8 }
        ).pipe(Terminal.spinning(`deleting ${judged.gone.length} objects`))
    const outcome: Gc.Outcome = {
      isDryRun,
      deleted: tries.filter(({ why }) => why === undefined).map(({ leftover }) => leftover),
      failed: tries.flatMap(({ leftover, why }) => (why === undefined ? [] : [{ leftover, why }]))
    }
    const where = { namespace: client.namespace, server: client.server, now: snapshot.now }
    yield* asJson
      ? Terminal.json(Gc.document(judged, outcome, where))
      : Terminal.lines(Gc.screen(judged, outcome, where, paint, columns))
    if (snapshot.secrets === undefined) yield* Terminal.hint(noSecrets)
    if (snapshot.jobs === undefined) yield* Terminal.hint(noJobs)
    if (outcome.failed.length > 0) return yield* Effect.fail(printed)
  })

export const command = Command.make(
  "gc",
  { ...Flags.target, dryRun, json: Flags.json },
  ({ dryRun: isDryRun, json, ...target }) => Effect.provide(gc(isDryRun, json), Flags.clusterOf(target))
).pipe(
  Command.withDescription(
    "Delete pods, Secrets and Jobs whose parent is gone. Objects of living parents are never touched; objects without proof are shown and stay."
  ),
  Command.withShortDescription("Delete what killed parents left behind"),
  Command.withExamples([
    { command: "effect-flame gc --dry-run -n shop", description: "Show owner, age and reason of each object" },
    { command: "effect-flame gc -n shop", description: "Delete exactly these" }
  ])
)
