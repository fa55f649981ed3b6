/**
 * The command line and environment of a runner's process, from those of the program that starts it.
 *
 * A runner is the same Node with the same options and environment, less what would hurt, plus its role.
 */
import { preload, prefix } from "../process/RoleVariables.ts"
import * as NodeArguments from "./NodeArguments.ts"

/** What is known of the program that starts runners. */
export interface Program {
  readonly execPath: string
  readonly execArgv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What a runner gets on top of it. */
export interface Additions {
  readonly execArgv?: ReadonlyArray<string> | undefined
  /** `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/** A process to start. */
export interface RunnerCommand {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly env: Record<string, string>
  /** The heap's limit as its options give it. */
  readonly heapLimit: string | undefined
}

// set by a watching or testing node for its direct child: a runner would report files or test results in its name
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
  // one that is given for runners is taken as it is
  if (additions.env !== undefined && "NODE_OPTIONS" in additions.env) return env
  if (options === "") delete env.NODE_OPTIONS
  else env.NODE_OPTIONS = options
  return env
}

/** Builds the command by which `program` starts a runner of `entry` in the given role. */
export const make = (
  program: Program,
  additions: Additions,
  role: Readonly<Record<string, string>>,
  entry: string
): RunnerCommand => {
  const env = environment(program, additions, role)
  const options = [...NodeArguments.filter(program.execArgv), ...(additions.execArgv ?? [])]
  return {
    file: program.execPath,
    // first, so that it runs before any other module that is loaded ahead of the entry
    args: [preload, ...options, entry],
    env,
    heapLimit: NodeArguments.heapLimit([...NodeArguments.parse(env.NODE_OPTIONS ?? ""), ...options])
  }
}
