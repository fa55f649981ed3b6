/** Leftovers of this process in the system: children, zombies among them, and open files. */
import { execFileSync } from "node:child_process"
import { readdirSync } from "node:fs"

export interface Child {
  readonly pid: number
  readonly state: string
  readonly args: string
}

/** The children of this process, without the `ps` that lists them. */
export const children = (): ReadonlyArray<Child> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })
    .split("\n")
    .map((line) => line.trim().match(/^(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/))
    .filter((match) => match !== null)
    .filter(([, , ppid, , args]) => Number(ppid) === process.pid && !args!.startsWith("ps -A"))
    .map(([, pid, , state, args]) => ({ pid: Number(pid), state: state!, args: args! }))

const isReaper = ({ args }: Child): boolean => args.includes(`effect-flame-reaper ${process.pid}`)

/** The process that kills runners when this process is killed. */
export const reaper = (): ReadonlyArray<number> =>
  children()
    .filter(isReaper)
    .map(({ pid }) => pid)

/** Children that are neither in the given list nor the reaper. */
export const strangers = (known: ReadonlySet<number>): ReadonlyArray<Child> =>
  children().filter((child) => !isReaper(child) && (!known.has(child.pid) || child.state.startsWith("Z")))

/** The number of open files of this process. Undefined if the system does not report it. */
export const openFiles = (): number | undefined => {
  try {
    // Without the descriptor that reads the directory.
    return readdirSync("/proc/self/fd").length - 1
  } catch {
    return undefined
  }
}

/** Sends a signal, if the process still exists. */
export const signal = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // The process has ended meanwhile.
  }
}
