/** The choice whether a local runner starts from the snapshot that a build has put beside its entry. */
import * as Effect from "effect/Effect"
import * as SnapshotFile from "../code/snapshot/SnapshotFile.ts"
import * as RunnerCommand from "./RunnerCommand.ts"

/**
 * Makes the function that finds the snapshot of an entry. Undefined where the runner has to load its program.
 *
 * A snapshot that does not fit is reported by one warning, and the runner boots without it. Looked for at each boot, because
 * a build may change the files.
 */
export const finder = () => {
  let reported = false
  return (
    entry: string,
    program: RunnerCommand.Program,
    additions: RunnerCommand.Additions
  ): Effect.Effect<string | undefined> =>
    Effect.suspend(() => {
      const found = SnapshotFile.find(entry)
      if (found === undefined) return Effect.undefined
      const unfit =
        "unfit" in found
          ? `${found.unfit}; run the build again, on the Node of this process`
          : RunnerCommand.loadsModules(program, additions)
            ? "the options of Node load modules ahead of the program (such as --import), which a process from a snapshot does not"
            : undefined
      if (unfit === undefined) return Effect.succeed((found as { readonly path: string }).path)
      if (reported) return Effect.undefined
      reported = true
      const text = `runners boot without the snapshot ${SnapshotFile.nameOf(entry)}: ${unfit}`
      return Effect.as(Effect.logWarning(text), undefined)
    })
}
