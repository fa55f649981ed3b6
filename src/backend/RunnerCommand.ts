/**
 * Makes the command line, environment and directory of a runner's process from those of the program that starts it.
 *
 * A runner is the same Node with the same options, arguments and environment, without those that would hurt a second
 * process, and with its role.
 */
import { preload, prefix } from "../process/RoleVariables.ts"
import * as NodeArguments from "../process/NodeArguments.ts"

/** The program that starts runners. */
export interface Program {
  readonly execPath: string
  readonly execArgv: ReadonlyArray<string>
  /** Node, the script and the arguments of the script. */
  readonly argv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string | undefined>>
  /**
   * The directory where the program was started, if it still exists. Node resolves `--import` and `--require` from
   * there.
   */
  readonly startDirectory: string | undefined
  /** The current directory of the program. */
  readonly directory: string
}

/** Options that a runner gets besides those of the program. */
export interface Additions {
  /** More options for Node, after the program's own. */
  readonly execArgv?: ReadonlyArray<string> | undefined
  /** Arguments of the entry in place of the program's own. */
  readonly argv?: ReadonlyArray<string> | undefined
  /** More variables. `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** An absolute path. Default: the program's own directory. */
  readonly cwd?: string | undefined
}

/** A process to start. */
export interface RunnerCommand {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly env: Record<string, string>
  /** The directory to start the process in. A preloaded option may change it at once. */
  readonly cwd: string
  /** The option that limits the heap, if there is one. */
  readonly heapLimit: string | undefined
}

// Set by a watching or testing Node for its direct child. A runner would report files or test results in its name.
const notInherited = new Set(["WATCH_REPORT_DEPENDENCIES", "NODE_TEST_CONTEXT", "NODE_CHANNEL_FD", "NODE_UNIQUE_ID"])

const environment = (
  program: Program,
  additions: Additions,
  role: Readonly<Record<string, string>>
): Record<string, string> => {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...program.env, ...additions.env, ...role })) {
    if (value === undefined || notInherited.has(name)) continue
    if (name.startsWith(prefix) && !(name in role)) continue
    env[name] = value
  }
  const options = NodeArguments.filterText(program.env.NODE_OPTIONS ?? "")
  // A value that is given for runners is used unchanged.
  if (additions.env !== undefined && "NODE_OPTIONS" in additions.env) return env
  if (options === "") delete env.NODE_OPTIONS
  else env.NODE_OPTIONS = options
  return env
}

const marker = "effect-flame directory"

/**
 * The option of Node by which a runner changes its directory, after all modules that are loaded ahead of the entry.
 *
 * Node resolves every `--import` and `--require` from the directory that the process starts in. A worker thread gets the
 * option too and may not change the directory, which is already the right one. The option removes itself from `execArgv`,
 * which `child_process.fork` would repeat.
 */
const changeTo = (directory: string): string =>
  `--import=data:text/javascript,/* ${marker} */` +
  encodeURIComponent(
    `try{process.chdir(${JSON.stringify(directory)})}catch(e){if(e.code!=="ERR_WORKER_UNSUPPORTED_OPERATION")throw e}` +
      `const a=process.execArgv,i=a.findIndex(x=>x.includes("${marker}"));i<0||a.splice(i,1)`
  )

/** The options that a runner's Node gets, in the order in which Node reads them. */
const optionsOf = (program: Program, additions: Additions, env: Readonly<Record<string, string>>) => {
  const options = [...NodeArguments.filter(program.execArgv), ...(additions.execArgv ?? [])]
  return { options, all: [...NodeArguments.parse(env.NODE_OPTIONS ?? ""), ...options] }
}

/** Whether options load modules ahead of the entry. A process that starts from a snapshot would not load them. */
export const loadsModules = (program: Program, additions: Additions): boolean =>
  NodeArguments.loadsModules(optionsOf(program, additions, environment(program, additions, {})).all)

/** Builds the command by which `program` starts a runner of `entry` in the given role, from a snapshot if there is one. */
export const make = (
  program: Program,
  additions: Additions,
  role: Readonly<Record<string, string>>,
  entry: string,
  snapshot?: string
): RunnerCommand => {
  const env = environment(program, additions, role)
  const { all, options } = optionsOf(program, additions, env)
  const cwd = additions.cwd ?? program.directory
  const start = program.startDirectory ?? cwd
  const isMoved = start !== cwd && NodeArguments.loadsModules(all)
  return {
    file: program.execPath,
    args: [
      // First, so that it runs before every other preloaded module. A snapshot does the same itself.
      ...(snapshot === undefined ? [preload] : []),
      ...options,
      ...(isMoved ? [changeTo(cwd)] : []),
      ...(snapshot === undefined ? [] : [`--snapshot-blob=${snapshot}`]),
      entry,
      ...(additions.argv ?? program.argv.slice(2))
    ],
    env,
    cwd: isMoved ? start : cwd,
    heapLimit: NodeArguments.heapLimit(all)
  }
}
