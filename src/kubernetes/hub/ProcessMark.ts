/** The mark of a process outside of the cluster, in the annotations of its Job and Secrets: `gc` and `ps` read it. */
import { readFileSync, readlinkSync } from "node:fs"
import { hostname, userInfo } from "node:os"
import { basename } from "node:path"
import { hash } from "../object/ObjectNames.ts"
import type { ProcessMark } from "../object/PodLabels.ts"

/**
 * A hash of the boot of this machine and of the pid namespace of this process: two processes with the same hash see each
 * other's pids. Undefined if the system tells neither (outside of Linux).
 */
export const machine = (): string | undefined => {
  try {
    return hash(16, readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), readlinkSync("/proc/self/ns/pid"))
  } catch {
    return undefined
  }
}

/** The mark of this process. */
export const own = (program: string = process.argv[1] ?? ""): ProcessMark => {
  const known = machine()
  return {
    user: userInfo().username,
    host: hostname(),
    program: basename(program),
    pid: process.pid,
    ...(known === undefined ? {} : { machine: known })
  }
}

/** Whether the process of a mark is there; undefined if this process cannot see it. */
export const isAlive = (mark: ProcessMark): boolean | undefined => {
  if (mark.machine === undefined || mark.machine !== machine()) return undefined
  try {
    process.kill(mark.pid, 0)
    return true
  } catch (cause) {
    // A process of another user exists, and may not be signalled.
    return (cause as NodeJS.ErrnoException).code === "EPERM"
  }
}
