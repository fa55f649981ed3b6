/**
 * Addresses of the status of a parent: a port of its pod, or a unix socket of the user.
 *
 * The socket of a parent is `<directory>/<pid>-<life>.sock` with mode 0600, in the first of `directories` that can be
 * created with mode 0700. A reader looks into all of them, because a shell may have other variables than the parent. A
 * socket that refuses the connection belongs to a parent that has ended.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { life } from "../process/Life.ts"

/** The port of a parent in a pod, on 127.0.0.1. */
export const port = 9346

/** The directories of sockets, best first. Empty on Windows. */
export const directories = (): ReadonlyArray<string> => {
  const uid = process.getuid?.()
  if (uid === undefined) return []
  const runtime = process.env["XDG_RUNTIME_DIR"]
  const shared = [Os.tmpdir(), "/tmp"].map((root) => Path.join(root, `effect-flame-${uid}`))
  return [...new Set([...(runtime === undefined ? [] : [Path.join(runtime, "effect-flame")]), ...shared])]
}

/** Whether a directory is the user's own and closed to others. False for a symbolic link. */
export const isPrivate = (directory: string): boolean => {
  try {
    const stat = Fs.lstatSync(directory)
    return stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o077) === 0
  } catch {
    return false
  }
}

/** The sockets of this user's parents, also of those that are gone. */
export const sockets = (): ReadonlyArray<string> =>
  directories()
    .filter(isPrivate)
    .flatMap((directory) =>
      Fs.readdirSync(directory)
        .filter((name) => name.endsWith(".sock"))
        .map((name) => Path.join(directory, name))
    )

/** Creates the first possible directory, and returns this process's path in it. */
export const ownSocket = (): string | undefined => {
  for (const directory of directories()) {
    try {
      Fs.mkdirSync(directory, { mode: 0o700 })
    } catch {
      // The directory exists, or cannot be created. `isPrivate` decides.
    }
    const path = Path.join(directory, `${process.pid}-${life}.sock`)
    // The longest path of a unix socket has 104 bytes on some systems.
    if (isPrivate(directory) && Buffer.byteLength(path) < 104) return path
  }
  return undefined
}
