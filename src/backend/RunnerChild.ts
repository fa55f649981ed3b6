/**
 * A child process that is a runner: its start, its output, its end.
 *
 *   spawn ──▶ running ──exit──▶ ended ──output is closed or quiet, or `drainLimit`──▶ exit is reported
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as Net from "node:net"
import type { Readable } from "node:stream"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { LaunchFailed } from "../error/BootFailure.ts"
import type { RunnerExit } from "../error/RunnerExit.ts"
import { adopt } from "../wire/LocalSocket.ts"
import type { Transport } from "../wire/Transport.ts"
import { HeldLines } from "./HeldLines.ts"
import { LineBudget } from "./LineBudget.ts"
import { OutputLines } from "./OutputLines.ts"
import { OutputTail } from "./OutputTail.ts"
import { heapFull, reason } from "./ProcessExit.ts"
import type { RunnerCommand } from "./RunnerCommand.ts"

/**
 * Turns of the event loop without output after which an ended process has nothing left to read.
 *
 * A pipe that a grandchild holds never closes. Everything that the runner wrote was in the pipe before it ended, so one
 * whole turn reads it. The first turn may be over already, and the second may have started.
 */
const quietTurns = 3

/** Longest time of reading after the end, in milliseconds. Below `reasonGrace`, for which callers wait. */
const drainLimit = 40

/** Receives each line of output. */
export type LogOutput = (source: "stdout" | "stderr", line: string) => void

export class RunnerChild {
  readonly pid: number
  readonly transport: Transport
  /** Why the process ended, once its last output is read. */
  readonly exit: Deferred.Deferred<RunnerExit> = Deferred.makeUnsafe()
  private readonly ended: Deferred.Deferred<void> = Deferred.makeUnsafe()
  private readonly stderrTail = new OutputTail()
  /** The lines of its stderr that are not logged yet. */
  readonly lastWords: HeldLines
  private readonly child: ChildProcess
  private readonly connection: Net.Socket
  private readonly heapLimit: string | undefined
  /** Turns of the event loop since the last output, once the process has ended. */
  private quiet = 0
  private sent: { readonly signal: string; readonly by: string } | undefined

  constructor(child: ChildProcess, command: RunnerCommand, log: LogOutput, onEnd: (pid: number) => void) {
    const [transport, connection] = adopt(Net.Socket, child.stdio[3] as Net.Socket)
    this.child = child
    this.pid = child.pid!
    this.heapLimit = command.heapLimit
    this.transport = transport
    this.connection = connection
    // A reset before the transport starts must not be an uncaught exception.
    connection.on("error", () => {})
    this.lastWords = new HeldLines((line) => log("stderr", line))
    const budget = new LineBudget()
    const outputs = [
      this.read(child.stdout!, new OutputLines(budget, (line) => log("stdout", line))),
      this.read(child.stderr!, new OutputLines(budget, this.lastWords.push), this.stderrTail)
    ]
    child.once("exit", (code, signal) => {
      onEnd(this.pid)
      this.lastWords.keep()
      Deferred.doneUnsafe(this.ended, Effect.void)
      // If the connection is being read, its last messages must come before the reason.
      const last = connection.readableFlowing === true ? closed(connection) : Promise.resolve()
      const report = () => {
        clearTimeout(limit)
        this.report(code, signal)
      }
      const limit = setTimeout(report, drainLimit)
      void Promise.all([Promise.race([Promise.all(outputs), this.untilQuiet()]), last]).then(report)
    })
  }

  private untilQuiet(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => (this.quiet++ < quietTurns ? setImmediate(look) : resolve())
      look()
    })
  }

  /** The last lines of its stderr so far. */
  get stderr(): string {
    return this.stderrTail.text()
  }

  /** Sends a signal to a process that still lives. The reason of its end then names `by`. */
  kill(signal: "SIGTERM" | "SIGKILL", by: string): void {
    if (this.child.kill(signal) && this.sent?.signal !== "SIGKILL") this.sent = { signal, by }
  }

  /** Ends the process by SIGTERM, and by SIGKILL after the grace. Leaves no process, pipe or socket behind. */
  close(grace: Duration.Duration): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.kill("SIGTERM", "its pool closed it")
      yield* Effect.timeoutOrElse(Effect.interruptible(Deferred.await(this.ended)), {
        duration: grace,
        orElse: () =>
          Effect.sync(() =>
            this.kill("SIGKILL", `it had not ended ${Duration.toMillis(grace)} ms after its pool closed it`)
          )
      })
      yield* Deferred.await(this.exit)
      this.lastWords.rest()
      this.connection.destroy()
      for (const stream of this.child.stdio) stream?.destroy()
    })
  }

  private read(stream: Readable, lines: OutputLines, tail?: OutputTail): Promise<void> {
    stream.on("error", () => {})
    stream.on("data", (chunk: Buffer) => {
      this.quiet = 0
      tail?.push(chunk)
      lines.push(chunk)
    })
    const end = closed(stream)
    void end.then(() => lines.end())
    return end
  }

  private report(code: number | null, signal: string | null): void {
    const { heapLimit, sent, stderr } = this
    const by = signal !== null && sent?.signal === signal ? sent.by : undefined
    const end = { code, signal, by, stderr, heapLimit, heapFull: this.stderrTail.includes(heapFull) }
    Deferred.doneUnsafe(this.exit, Effect.succeed({ reason: reason(end), gone: true }))
  }
}

const closed = (stream: Readable): Promise<void> =>
  new Promise((resolve) => {
    if (stream.closed) resolve()
    else stream.once("close", resolve)
  })

/**
 * Error codes after which a later try cannot start the process: the command, its arguments or its environment are
 * wrong.
 */
const permanentCodes: ReadonlySet<unknown> = new Set([
  "E2BIG",
  "EACCES",
  "EINVAL",
  "EISDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "ENOENT",
  "ENOEXEC",
  "ENOTDIR",
  "EPERM",
  "ERR_INVALID_ARG_TYPE",
  "ERR_INVALID_ARG_VALUE"
])

const isPermanent = (cause: unknown): boolean =>
  cause instanceof Error && permanentCodes.has((cause as NodeJS.ErrnoException).code)

/** Starts the process. Calls `onStart` and `onEnd` with its pid at once, in the turn of the event itself. */
export const start = (
  command: RunnerCommand,
  options: {
    readonly log: LogOutput
    readonly onStart: (pid: number) => void
    readonly onEnd: (pid: number) => void
  }
): Effect.Effect<RunnerChild, LaunchFailed> =>
  Effect.callback((resume) => {
    const failed = (cause: unknown) => {
      const detail = cause instanceof Error ? cause.message : String(cause)
      resume(Effect.fail(new LaunchFailed(isPermanent(cause) ? { detail, permanent: true } : { detail })))
    }
    try {
      const child = spawn(command.file, command.args, {
        cwd: command.cwd,
        env: command.env,
        stdio: ["ignore", "pipe", "pipe", "pipe"]
      })
      // Without a pid some or all streams are missing.
      if (child.pid === undefined) return void child.once("error", failed)
      options.onStart(child.pid)
      const runner = new RunnerChild(child, command, options.log, options.onEnd)
      child.on("error", () => {})
      resume(Effect.succeed(runner))
    } catch (cause) {
      // Node throws for some errors, such as an environment that is too large.
      failed(cause)
    }
  })
