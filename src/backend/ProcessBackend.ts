/**
 * Runners that are child processes of this one: the embedded default, which needs nothing but Node.
 *
 * A runner runs `entry` on the same Node with the same options and environment (`RunnerCommand.ts`). The runner inherits one
 * end of a socketpair whose other end the parent holds. So there is no port, no path and no key: no other process can
 * connect. `RunnerChild.ts` has the start and the end of the process.
 */
import { readdirSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Severity } from "effect/LogLevel"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { withConfinedLoggers } from "../error/ConfinedLoggers.ts"
import { type BootFailure, EntryMissing, InvalidSpec } from "../error/BootFailure.ts"
import * as Entry from "../process/Entry.ts"
import { variables } from "../process/RoleVariables.ts"
import { Backend, type RunnerProcess, type RunnerSpec } from "./Backend.ts"
import * as RunnerCache from "./RunnerCache.ts"
import { bootFailure } from "./ProcessExit.ts"
import * as Reaper from "./Reaper.ts"
import { type LogOutput, start } from "./RunnerChild.ts"
import * as RunnerCommand from "./RunnerCommand.ts"
import * as RunnerSnapshot from "./RunnerSnapshot.ts"

/**
 * How runners are started.
 *
 * @since 0.1.0
 * @category backends
 */
export interface ProcessBackendOptions {
  /** The file that a runner runs: a `file:` URL, or a path from the current directory. */
  readonly entry: string | URL
  /** Options for the runners' Node, after those of this process. */
  readonly execArgv?: ReadonlyArray<string>
  /** Variables for runners, which override those of this process. `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Arguments of the entry, `process.argv.slice(2)` of a runner. Default: the arguments of this process. */
  readonly argv?: ReadonlyArray<string>
  /**
   * The runners' current directory. Default: that of this process. Node resolves the values of `--import`
   * and `--require` from the directory where this process was started, whatever `cwd` is.
   */
  readonly cwd?: string
  /** The level at which lines of a runner's stdout and stderr are logged. Default `Info`. */
  readonly outputLevel?: Severity
  /** Name of this process's build, as its runners name theirs. Default: `FLAME_BUILD`, else made of the entry's file. */
  readonly build?: string
  /** Time for a runner to end on SIGTERM before it gets SIGKILL. Default: the pool's `cancelGrace`. */
  readonly killGrace?: Duration.Input
}

/** Milliseconds beyond `cancelGrace` after which the reaper kills a runner whose parent has ended. */
const reaperSlack = 500

/**
 * Makes a backend that starts runners as child processes. The end of the scope ends them all.
 *
 * Dies with a TypeError if an option makes no sense for any runner. A missing entry or directory fails the
 * boots instead, because it may be created later.
 *
 * @since 0.1.0
 * @category backends
 */
export const make = (options: ProcessBackendOptions): Effect.Effect<Backend["Service"], never, Scope.Scope> =>
  withConfinedLoggers(backend(options))

const backend: (options: ProcessBackendOptions) => Effect.Effect<Backend["Service"], never, Scope.Scope> =
  Effect.fnUntraced(function* (options) {
    const { killGrace, outputLevel } = yield* Effect.sync(() => checked(options))
    const reaper = yield* Reaper.acquire
    const snapshotOf = RunnerSnapshot.finder()

    const launch = Effect.fnUntraced(function* (spec: RunnerSpec) {
      const entry = yield* findEntry(options.entry)
      const cwd = yield* directoryOf(options.cwd)
      const additions = { ...options, cwd }
      const parent = program()
      const snapshot = yield* snapshotOf(entry, parent, additions)
      const compiled =
        snapshot === undefined ? RunnerCache.variables(entry, { ...process.env, ...options.env }) : undefined
      const role = { ...variables(spec, process.pid), ...compiled }
      const command = RunnerCommand.make(parent, additions, role, entry, snapshot)
      const log = yield* logger(spec, outputLevel)
      const grace = killGrace ?? Duration.millis(spec.cancelGrace)
      const child = yield* Effect.acquireRelease(
        start(command, {
          log,
          onStart: (pid) => reaper.watch(pid, spec.cancelGrace + reaperSlack),
          onEnd: (pid) => reaper.forget(pid)
        }),
        (child) => child.close(grace)
      )
      const runner: RunnerProcess = {
        labels: { pid: `${child.pid}` },
        phases: Stream.make({ name: "started", detail: `pid ${child.pid}` }),
        connection: Effect.succeed(child.transport),
        exit: Deferred.await(child.exit),
        bootFailure: (exit) => bootFailure(exit.reason, entry, child.stderr),
        outputReported: () => child.lastWords.reported(),
        kill: (by) => Effect.sync(() => child.kill("SIGKILL", by))
      }
      return runner
    })

    return Backend.of({
      name: "process",
      build: options.build ?? "unnamed",
      defaults: { bootTimeout: 60_000, reasonGrace: 50 },
      launch
    })
  })

/**
 * The backend whose runners are child processes.
 *
 * @since 0.1.0
 * @category backends
 */
export const layer = (options: ProcessBackendOptions): Layer.Layer<Backend> => Layer.effect(Backend, make(options))

const severities: ReadonlyArray<unknown> = ["Fatal", "Error", "Warn", "Info", "Debug", "Trace"]

/** Checked once for all runners. Otherwise each boot would fail for the same mistake, as if waiting could heal it. */
const checked = ({ killGrace, outputLevel = "Info" }: ProcessBackendOptions) => {
  if (!severities.includes(outputLevel)) {
    throw new TypeError(`the option outputLevel must be one of ${severities.join(", ")}, it is ${outputLevel}`)
  }
  return { killGrace: killGrace === undefined ? undefined : grace(killGrace), outputLevel }
}

const grace = (input: Duration.Input): Duration.Duration => {
  const parsed = Option.getOrUndefined(Duration.fromInput(input))
  if (parsed === undefined || Number.isNaN(input)) {
    throw new TypeError(`the option killGrace is not a duration: ${shown(input)}`)
  }
  if (Duration.isNegative(parsed)) throw new TypeError(`the option killGrace must not be negative: ${shown(input)}`)
  return parsed
}

const shown = (input: Duration.Input): string => (typeof input === "object" ? JSON.stringify(input) : `${input}`)

// Checked at each launch, because the file may be built or removed later.
const findEntry = (entry: string | URL): Effect.Effect<string, BootFailure> =>
  Effect.suspend((): Effect.Effect<string, BootFailure> => {
    const path = Entry.pathOf(entry)
    if (path === undefined) return Effect.fail(new InvalidSpec({ detail: `its entry ${String(entry)} is not a file` }))
    const found = Entry.candidates(path).find(isFile)
    return found === undefined ? Effect.fail(missing(path)) : Effect.succeed(found)
  })

const missing = (entry: string): EntryMissing => {
  const folder = dirname(entry)
  const files = isDirectory(folder) ? readdirSync(folder).filter((file) => /\.[cm]?[jt]sx?$/.test(file)) : undefined
  const beside = files === undefined ? `the folder ${folder} does not exist` : shortList(files)
  return new EntryMissing({ entry, beside })
}

/** The first files of a folder, for people. */
const shortList = (files: ReadonlyArray<string>): string =>
  files.length === 0
    ? "there is no program in its folder"
    : `its folder has ${files.slice(0, 8).join(", ")}${files.length > 8 ? ` and ${files.length - 8} more` : ""}`

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true

// Checked here, because Node would report that its own executable does not exist.
const directoryOf = (cwd: string | undefined): Effect.Effect<string | undefined, BootFailure> =>
  Effect.suspend((): Effect.Effect<string | undefined, BootFailure> =>
    cwd === undefined || isDirectory(cwd)
      ? Effect.succeed(cwd === undefined ? undefined : resolve(cwd))
      : Effect.fail(new InvalidSpec({ detail: `its directory ${cwd} does not exist` }))
  )

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** This process, as it is when it starts a runner. */
const program = (): RunnerCommand.Program => {
  const { startDirectory } = Entry
  return {
    execPath: process.execPath,
    execArgv: process.execArgv,
    argv: process.argv,
    env: process.env,
    startDirectory: startDirectory !== undefined && isDirectory(startDirectory) ? startDirectory : undefined,
    directory: process.cwd()
  }
}

const logger = (spec: RunnerSpec, level: Severity): Effect.Effect<LogOutput> =>
  Effect.contextWith((context) => {
    const run = Effect.runForkWith(context)
    const log = Effect.logWithLevel(level)
    return Effect.succeed((source: string, line: string) => {
      run(Effect.annotateLogs(log(line), { runner: spec.id, output: source }))
    })
  })
