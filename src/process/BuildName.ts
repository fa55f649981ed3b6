/** The name of the code that a process runs. A runner of another build than its parent is reported, never refused. */
import { builtin } from "../function/Builtin.ts"

/**
 * Names the build of an entry: `FLAME_BUILD` where that is set, else the size and time of change of the entry's file.
 *
 * Only the entry is looked at, because its imports are not known. For a bundle the entry is all the code.
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
