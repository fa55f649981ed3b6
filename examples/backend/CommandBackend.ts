/**
 * A backend that starts each runner by a command: `docker run`, `ssh`, `systemd-run`.
 *
 * Runners dial back over TLS, each with its own key. The environment of the command holds the runner's variables, and the
 * command has to pass them on. A runner counts as ended when its command has ended.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Deferred, Effect, Exit, Layer, Redacted, Stream } from "effect"
import {
  Backend,
  Build,
  type CodeOptions,
  ProcessExit,
  reportOf,
  RunnerListener,
  type RunnerProcess,
  type RunnerSpec
} from "effect-flame/backend"
import { BootFailure, type RunnerExit } from "effect-flame"

export interface Options {
  /**
   * Makes the command line of a runner, which has to pass on the variables of these names. In a container:
   *
   *     (names) => ["docker", "run", "--rm", "--network=host", ...names.map((name) => `--env=${name}`), "app:1", "node", "main.mjs"]
   *
   * With `code` the runner is `node` with these arguments, and its machine needs nothing else:
   *
   *     (names, nodeArguments) => ["docker", "run", …, "node:24-slim", "node", ...nodeArguments]
   */
  readonly command: (
    variables: ReadonlyArray<string>,
    nodeArguments: ReadonlyArray<string>
  ) => readonly [string, ...Array<string>]
  /** The code that runners get from this process. Default: their machine has the program. */
  readonly code?: "sync" | CodeOptions
  /** The address that runners dial. Default: the loopback of this machine, which no other machine can reach. */
  readonly address?: (port: number) => string
  /** The port that runners dial. Default: any free port. */
  readonly port?: number
  /**
   * Whether the command only asks another program for a runner, as `docker run` and `ssh` do. The runner may then outlive a
   * killed command, so an idempotent call is not sent again at once. Default false.
   */
  readonly isProxy?: boolean
}

/** Characters at the end of a runner's stderr that an error quotes. */
const tailSize = 2_000

/** Milliseconds between the exit of a process and the report of its end without all of stderr: a grandchild may hold stderr open. */
const lastWords = 100

export const layer = (options: Options): Layer.Layer<Backend, RunnerListener.ListenFailed> =>
  Layer.effect(Backend, make(options))

const make = Effect.fnUntraced(function* (options: Options) {
  const { address = (port: number) => `127.0.0.1:${port}`, isProxy = false, port = 0 } = options
  const listener = yield* RunnerListener.make({
    port,
    ...(options.address === undefined ? { host: "127.0.0.1" } : {}),
    ...(options.code === undefined ? {} : { code: options.code })
  })
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-command-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )

  const launch = Effect.fnUntraced(function* (spec: RunnerSpec) {
    const { code, connection, key, nodeArguments, variables } = yield* listener.expect(spec)
    const report = join(folder, spec.id)
    const env = { ...variables(address(listener.port), report), [key.name]: Redacted.value(key.value) }
    const [file, ...args] = options.command(Object.keys(env), nodeArguments())
    const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } })
    const running = follow(child, isProxy)
    if (child.pid === undefined) return yield* running.failed
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        running.end("SIGTERM", "its pool closed it")
        yield* Effect.timeoutOrElse(Effect.interruptible(running.exit), {
          duration: spec.cancelGrace,
          orElse: () => Effect.sync(() => running.end("SIGKILL", "its pool closed it"))
        })
        yield* running.exit
      })
    )
    const runner: RunnerProcess = {
      labels: { pid: `${child.pid}`, ...(code === undefined ? {} : { code }) },
      phases: Stream.make({ name: "started", detail: `pid ${child.pid}` }),
      connection,
      exit: running.exit,
      bootFailure: ({ reason }) =>
        reportOf(existsSync(report) ? readFileSync(report, "utf8") : undefined) ??
        ProcessExit.bootFailure(reason, shown(args), running.stderr()),
      kill: (by) => Effect.sync(() => running.end("SIGKILL", by))
    }
    return runner
  })

  return Backend.of({
    name: "command",
    build: Build.of(process.argv[1]),
    defaults: { bootTimeout: 60_000, reasonGrace: 500 },
    launch
  })
})

/** A command line for people, without the program that is an argument of Node where the code is sent. */
const shown = (args: ReadonlyArray<string>): string => args.filter((arg) => arg.length < 1_000).join(" ")

/** Follows a process to its end, and keeps the end of its stderr. */
const follow = (child: ChildProcess, isProxy: boolean) => {
  const exit: Deferred.Deferred<RunnerExit.RunnerExit> = Deferred.makeUnsafe()
  let stderr = ""
  let by: string | undefined
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + String(chunk)).slice(-tailSize)
  })
  const failed: Deferred.Deferred<never, BootFailure.BootFailure> = Deferred.makeUnsafe()
  child.on("error", (error: NodeJS.ErrnoException) => {
    const detail = `${child.spawnfile} does not start: ${error.message}`
    // A lack of processes or memory can pass, so the pool tries again.
    const isMissing = error.code === "ENOENT" || error.code === "EACCES"
    const cause = isMissing ? new BootFailure.NotARunner({ detail }) : new BootFailure.LaunchFailed({ detail })
    Deferred.doneUnsafe(failed, Exit.fail(cause))
  })
  child.once("exit", (code, signal) => {
    const tell = () => {
      const heapFull = stderr.includes(ProcessExit.heapFull)
      const reason = ProcessExit.reason({ code, signal, stderr, heapFull, heapLimit: undefined, by })
      Deferred.doneUnsafe(exit, Exit.succeed({ reason, gone: !isProxy || signal === null }))
    }
    const limit = setTimeout(tell, lastWords)
    child.once("close", () => {
      clearTimeout(limit)
      tell()
    })
  })
  return {
    /** Fails with the cause if the process has no pid. */
    failed: Deferred.await(failed),
    exit: Deferred.await(exit),
    stderr: () => stderr,
    end: (signal: "SIGTERM" | "SIGKILL", sender: string) => {
      if (child.exitCode === null && child.signalCode === null && child.kill(signal)) by ??= sender
    }
  }
}
