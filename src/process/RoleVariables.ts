/**
 * The variables that make a process a runner: the one list of their names, how a parent writes them, and how a runner
 * takes them out of its environment.
 *
 * They hold for the one process that was started with them. A runner deletes them before user code loads, so that no
 * process that a function starts takes itself for a runner.
 *
 * A new variable goes into `names`, into `RoleSpec` and `common` (or `networkVariables`), and into `decode` of `Role.ts`.
 * Other variables of a runner are in `backend/RunnerCommand.ts` and `kubernetes/template/PodEnv.ts`.
 */

/** The prefix of the name of every role variable. */
export const prefix = "FLAME_RUNNER_"

/**
 * The role variables without their prefix.
 *
 * Any other variable with that prefix configures a pool called `Runner`: `FLAME_RUNNER_MAX` is its `max`.
 */
export const names = [
  "ID",
  "POOL",
  "LIFE",
  "PARENT",
  "BOOT_TIMEOUT",
  "DRAIN_TIMEOUT",
  "CANCEL_GRACE",
  "ADDRESS",
  "LISTEN",
  "IDENTITY",
  "KEY",
  "REPORT",
  "CACHE"
] as const

/** A role variable without its prefix. */
export type RoleVariable = (typeof names)[number]

/** Whether a variable belongs to a runner's role. A parent's own role variable is never handed on to its runners. */
export const isVariable = (name: string): boolean => names.some((each) => name === prefix + each)

/** The value of `FLAME_RUNNER_PARENT` where the parent is reached over a network, so that no pid can be compared. */
export const network = "network"

/** The variable that holds the key of a runner that is reached over a network. The only secret among the variables. */
export const keyVariable = `${prefix}KEY`

/** The variable that names the file to which a runner that is reached over a network writes why it will not serve. */
export const reportVariable = `${prefix}REPORT`

/** The variable that names the folder for compiled code. Only a runner that is started by `preload` uses it. */
export const cacheVariable = `${prefix}CACHE`

/** Name of the symbol of the global that holds the values which were taken out of the environment. */
export const roleKey = "effect-flame/role"

const key = Symbol.for(roleKey)

/** Statements that move the role variables into the global `t`, for a program that begins before any module of ours. */
export const taking =
  "const e=process.env,t={ppid:process.ppid,at:process.uptime()*1e3};" +
  `for(const k of ${JSON.stringify(names)}){const n="${prefix}"+k;if(n in e){t[k]=e[n];delete e[n]}}` +
  `Object.defineProperty(globalThis,Symbol.for("${roleKey}"),{value:t,configurable:true});`

/**
 * The option of Node by which a runner is started: it takes the role variables away before any module of the program
 * loads.
 *
 * The option is a `data:` URL, because a bundle would not have a file of ours. It costs a millisecond of CPU, as a file
 * does. The option removes itself from `execArgv`, which `child_process.fork` would repeat. A worker thread still gets the
 * option and finds no variables. The compile cache is switched on here and not by Node's own variable, which every process
 * that a function starts would inherit. `takeFromEnvironment` does the same in a process that was started without the
 * option. There is no `%`, `?` or `#` in the URL, so that `ps` shows it as written.
 */
export const preload =
  "--import=data:text/javascript,/* effect-flame runner */" +
  taking +
  'if(t.CACHE){const m=process.getBuiltinModule("node:module");m.enableCompileCache&&m.enableCompileCache(t.CACHE)}' +
  'const a=process.execArgv,i=a.findIndex(x=>x.includes("effect-flame runner"));i<0||a.splice(i,1)'

/** The values that were taken out of the environment, by name without the prefix. */
export interface Taken {
  /** The parent's pid when the variables were taken. */
  readonly ppid: number
  readonly [variable: string]: string | number | undefined
}

/** The values that this process was started with: those that the option of Node took, or else those still there. */
export const take = (): Taken | undefined => (globalThis as { [key]?: Taken })[key] ?? takeFromEnvironment()

const takeFromEnvironment = (): Taken | undefined => {
  // A variable such as FLAME_RUNNER_BOOT_TIMEOUT alone may configure a pool called `Runner`.
  if (!isInEnvironment()) return undefined
  const taken: Record<string, string | number | undefined> & { ppid: number } = { ppid: process.ppid }
  for (const name of names) {
    taken[name] = process.env[prefix + name]
    delete process.env[prefix + name]
  }
  return taken
}

/** Whether the environment of this process still holds a role. */
export const isInEnvironment = (): boolean => Boolean(process.env[`${prefix}ID`])

/** The facts about a runner that the variables carry, whatever its backend. Durations are in milliseconds. */
export interface RoleSpec {
  readonly id: string
  readonly pool: string
  readonly life: string
  readonly bootTimeout: number
  readonly drainTimeout: number
  readonly cancelGrace: number
}

const common = (spec: RoleSpec, parent: string): Record<string, string> => ({
  [`${prefix}ID`]: spec.id,
  [`${prefix}POOL`]: spec.pool,
  [`${prefix}LIFE`]: spec.life,
  [`${prefix}PARENT`]: parent,
  [`${prefix}BOOT_TIMEOUT`]: `${spec.bootTimeout}`,
  [`${prefix}DRAIN_TIMEOUT`]: `${spec.drainTimeout}`,
  [`${prefix}CANCEL_GRACE`]: `${spec.cancelGrace}`
})

/** The variables that make a child process of process `parent` a runner. */
export const variables = (spec: RoleSpec, parent: number): Record<string, string> => common(spec, `${parent}`)

/** How a runner and its parent connect over a network: the runner dials `address`, or listens on port `listen`. */
export type Way = { readonly address: string } | { readonly listen: number }

/** The variables that make a process on any machine a runner, without its key, which belongs into `keyVariable`. */
export const networkVariables = (spec: RoleSpec, identity: string, way: Way): Record<string, string> => ({
  ...common(spec, network),
  [`${prefix}IDENTITY`]: identity,
  ...("address" in way ? { [`${prefix}ADDRESS`]: way.address } : { [`${prefix}LISTEN`]: `${way.listen}` })
})
