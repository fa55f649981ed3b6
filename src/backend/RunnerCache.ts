/**
 * Where local runners keep the code that Node has stripped of types and V8 has compiled. The first runner of a program
 * stores the code when it ends, and later runners do not compile it again.
 */
import { type Stats, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { cacheVariable } from "../process/RoleVariables.ts"

/** Variables by which a program decides about compiled code itself. Coverage is less exact for code from a cache. */
const decisive = ["NODE_COMPILE_CACHE", "NODE_DISABLE_COMPILE_CACHE", "NODE_V8_COVERAGE"]

/**
 * The folder for the compiled code of an entry: `.cache/effect-flame` in the nearest `node_modules`, where tools keep what
 * can be made again.
 *
 * Undefined where there is no `node_modules`, or where another user may write to it: that user could put code there, which
 * runners would run.
 */
export const folderOf = (entry: string): string | undefined => {
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    const modules = join(folder, "node_modules")
    const stat = statSync(modules, { throwIfNoEntry: false })
    if (stat?.isDirectory() === true) return isOwn(stat) ? join(modules, ".cache", "effect-flame") : undefined
    if (dirname(folder) === folder) return undefined
  }
}

/** Whether only this user, or the group that this user's own files have, may write to a folder. */
const isOwn = ({ gid, mode, uid }: Stats): boolean =>
  uid === process.getuid?.() && (mode & 0o002) === 0 && ((mode & 0o020) === 0 || gid === process.getgid?.())

/** The role variable that names the folder to a runner with this environment. None where the environment decides. */
export const variables = (
  entry: string,
  env: Readonly<Record<string, string | undefined>>
): Readonly<Record<string, string>> => {
  const folder = decisive.some((name) => env[name] !== undefined) ? undefined : folderOf(entry)
  return folder === undefined ? {} : { [cacheVariable]: folder }
}
