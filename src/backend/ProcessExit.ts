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
  /** Whether V8 said there that its heap is full. */
  readonly heapFull: boolean
  /** The heap's limit as the options of the process gave it. */
  readonly heapLimit: string | undefined
  /** Why we killed it, if we did. */
  readonly by: string | undefined
}

/**
 * V8's words before it aborts for want of memory.
 *
 * @since 0.1.0
 * @category backends
 */
export const heapFull = "heap out of memory"

/** An abort is SIGABRT or, told by a shell in between, 134; some platforms trap instead. */
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
 * The cause of a failed boot that an end before serving stands for.
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
