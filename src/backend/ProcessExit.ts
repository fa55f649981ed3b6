/** The meaning of the end of a runner's process: a reason for its callers, or the cause of a failed boot. */
import { type BootFailure, NotARunner, ProcessExited } from "../error/BootFailure.ts"
import { Exited, type ExitReason, Killed, OutOfMemory } from "../error/RunnerExit.ts"

/**
 * The facts of the end of a process.
 *
 * @since 0.1.0
 * @category backends
 */
export interface ProcessFacts {
  readonly code: number | null
  readonly signal: string | null
  /** The last lines of its stderr. */
  readonly stderr: string
  /** Whether V8 reported in stderr that its heap is full. */
  readonly heapFull: boolean
  /** The heap limit from the options of the process. */
  readonly heapLimit: string | undefined
  /** The reason why the parent killed the process. Undefined if it did not. */
  readonly by: string | undefined
}

/**
 * The text that V8 writes before it aborts for lack of memory.
 *
 * @since 0.1.0
 * @category backends
 */
export const heapFull = "heap out of memory"

/** An abort is SIGABRT, or 134 if a shell reports it. Some platforms trap instead. */
const isAbort = (end: ProcessFacts): boolean =>
  end.code === 134 || end.signal === "SIGABRT" || end.signal === "SIGTRAP" || end.signal === "SIGILL"

/**
 * Why the runner went.
 *
 * @since 0.1.0
 * @category backends
 */
export const reason = (end: ProcessFacts): ExitReason => {
  if (end.heapFull && isAbort(end)) {
    return new OutOfMemory(end.heapLimit === undefined ? {} : { limit: end.heapLimit })
  }
  if (end.signal !== null) return new Killed({ signal: end.signal, ...(end.by === undefined ? {} : { by: end.by }) })
  return new Exited({ code: end.code ?? -1, ...(end.stderr === "" ? {} : { stderr: end.stderr }) })
}

/**
 * The cause of a failed boot, for a process that ended before it served.
 *
 * @since 0.1.0
 * @category backends
 */
export const bootFailure = (exit: ExitReason, entry: string, stderr: string): BootFailure => {
  switch (exit._tag) {
    case "OutOfMemory":
      return exit
    case "Killed":
      return new ProcessExited({ code: null, signal: exit.signal, stderr })
    case "Exited":
      return exit.code === 0
        ? new NotARunner({
            detail: `its entry ${entry} ended without serving: call Flame.main or FlameRunner.serve there, run by Flame.runMain`,
            ...(stderr === "" ? {} : { stderr })
          })
        : new ProcessExited({ code: exit.code, signal: null, stderr })
    default:
      return new NotARunner({ detail: exit.message })
  }
}
