/** What code a process runs, in a word: another build of a runner is reported, never refused. */
import { builtin } from "../function/Builtin.ts"

/**
 * Names the build of an entry: `FLAME_BUILD` where it is set, else the entry's size and time of change.
 *
 * The entry alone, because its imports are not known: for a bundle it is all the code there is.
 *
 * @since 0.1.0
 * @category backends
 */
export const of = (entry: string | undefined): string => {
  const given = process.env["FLAME_BUILD"]
  if (given !== undefined && given !== "") return given
  const stat = entry === undefined ? undefined : builtin("node:fs").statSync(entry, { throwIfNoEntry: false })
  return stat === undefined ? "unnamed" : `${stat.size.toString(36)}-${Math.trunc(stat.mtimeMs).toString(36)}`
}
