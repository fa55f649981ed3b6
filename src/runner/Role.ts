/**
 * How this process was started: as a parent, or as a runner of one.
 *
 * A parent gives a runner its role in variables, such as `FLAME_RUNNER_ID`. They hold for that one process, and are taken out
 * of the environment before user code loads, so that nothing a function starts is ever taken for a runner.
 */
import { writeSync } from "node:fs"
import { Socket } from "node:net"
import { isMainThread } from "node:worker_threads"
import { type BootFailure, NotARunner } from "../BootFailure.ts"
import { fail } from "../wire/Frame.ts"
import { fromDuplex, type Transport } from "../wire/Transport.ts"

/** An ordinary process: it may have runners of its own. */
export interface Parent {
  readonly _tag: "Parent"
}

/** A process that was started to serve its parent. Durations are in milliseconds. */
export interface Runner {
  readonly _tag: "Runner"
  readonly id: string
  readonly pool: string
  readonly life: string
  /** How long its boot may take, counted from its start. */
  readonly bootTimeout: number
  readonly drainTimeout: number
  readonly cancelGrace: number
  /** The byte pipe to its parent, the same at every call. */
  readonly transport: () => Transport
}

/** A process that carries the role of another one: it is neither a runner nor allowed to have any. */
export interface Refused {
  readonly _tag: "Refused"
  readonly detail: string
}

export type Role = Parent | Runner | Refused

/** What the names of the role's variables begin with. */
export const prefix = "FLAME_RUNNER_"

/** What the names go on with. Any other variable with that prefix is of a pool called `Runner`, such as its `max`. */
const names = ["ID", "POOL", "LIFE", "PARENT", "BOOT_TIMEOUT", "DRAIN_TIMEOUT", "CANCEL_GRACE"] as const

/** The descriptor of the socketpair whose other end the parent holds. */
const fd = 3

const key = Symbol.for("effect-flame/role")

/**
 * The option of Node by which a runner is started: takes the variables away before any module of the program loads.
 *
 * A `data:` URL because it needs no file of ours, which a bundle would not have; a millisecond of CPU, as with a file.
 * It takes itself out of `execArgv`, which `child_process.fork` would repeat; a worker thread still gets it, and finds
 * no variables. `takeFromEnvironment` below says the same for a process that was started without it. No `%`, `?` or `#`
 * in it, so that `ps` shows it plain.
 */
export const preload =
  "--import=data:text/javascript,/* effect-flame runner */" +
  "const e=process.env,t={ppid:process.ppid,at:performance.now()};" +
  `for(const k of ${JSON.stringify(names)}){const n="${prefix}"+k;if(n in e){t[k]=e[n];delete e[n]}}` +
  `Object.defineProperty(globalThis,Symbol.for("effect-flame/role"),{value:t});` +
  'const a=process.execArgv,i=a.findIndex(x=>x.includes("effect-flame runner"));i<0||a.splice(i,1)'

/** What was taken out of the environment: the variables less their prefix, and who the parent was at that moment. */
export interface Taken {
  readonly ppid: number
  readonly [variable: string]: string | number | undefined
}

const takeFromEnvironment = (): Taken | undefined => {
  // without an id there is no role: a pool called `Runner` has a boot timeout too
  if (!process.env[`${prefix}ID`]) return undefined
  const taken: Record<string, string | number | undefined> & { ppid: number } = { ppid: process.ppid }
  for (const name of names) {
    taken[name] = process.env[prefix + name]
    delete process.env[prefix + name]
  }
  return taken
}

/** The variables that make a process started by process `parent` a runner. */
export const variables = (
  spec: { readonly id: string; readonly pool: string; readonly life: string } & Durations,
  parent: number
): Record<`${typeof prefix}${(typeof names)[number]}`, string> => ({
  [`${prefix}ID`]: spec.id,
  [`${prefix}POOL`]: spec.pool,
  [`${prefix}LIFE`]: spec.life,
  [`${prefix}PARENT`]: `${parent}`,
  [`${prefix}BOOT_TIMEOUT`]: `${spec.bootTimeout}`,
  [`${prefix}DRAIN_TIMEOUT`]: `${spec.drainTimeout}`,
  [`${prefix}CANCEL_GRACE`]: `${spec.cancelGrace}`
})

type Durations = Pick<Runner, "bootTimeout" | "drainTimeout" | "cancelGrace">

/** The role that the variables stand for in a process with that parent, or in a thread of it. */
export const decode = (taken: Taken | undefined, isMain: boolean = isMainThread): Role => {
  if (taken === undefined) return { _tag: "Parent" }
  if (!isMain) {
    return { _tag: "Refused", detail: "this is a worker thread of a runner, which cannot be a runner or have any" }
  }
  const text = (name: (typeof names)[number]) => (typeof taken[name] === "string" ? taken[name] : "")
  const id = text("ID")
  // started with a runner's options of Node, but not as one
  if (id === "") return { _tag: "Parent" }
  if (text("PARENT") !== `${taken.ppid}`) {
    return {
      _tag: "Refused",
      detail: `the ${prefix}* variables here are those of runner ${id}, which process ${text(
        "PARENT"
      )} started, but this process was started by ${taken.ppid}: do not pass a runner's environment on`
    }
  }
  let transport: Transport | undefined
  return {
    _tag: "Runner",
    id,
    pool: text("POOL"),
    life: text("LIFE"),
    bootTimeout: Number(text("BOOT_TIMEOUT")),
    drainTimeout: Number(text("DRAIN_TIMEOUT")),
    cancelGrace: Number(text("CANCEL_GRACE")),
    transport: () => (transport ??= fromDuplex(new Socket({ fd, readable: true, writable: true })))
  }
}

/** Milliseconds that are left of a runner's boot. */
export const bootTimeLeft = (role: Runner): number =>
  Math.max(0, Math.round(role.bootTimeout - process.uptime() * 1000))

let role: Role | undefined

/** The role of this process; the same at every call. */
export const current = (): Role => (role ??= decode((globalThis as { [key]?: Taken })[key] ?? takeFromEnvironment()))

/**
 * Ends a process that was started as a runner and turns out not to be one, such as an app that starts apps.
 *
 * The parent is told the reason first, which fails the boot for good. Must not be called once the runner serves.
 */
export const refuse = (detail: string): never => {
  report(new NotARunner({ detail }))
  complain(detail)
  process.exit(1)
}

let reported = false

/** Tells the parent of a runner, before that serves, why it will not. The first reason counts. */
export const report = (cause: BootFailure): void => {
  if (reported || current()._tag !== "Runner") return
  reported = true
  try {
    writeSync(fd, fail(cause))
  } catch {
    // the parent is gone, or has closed: nobody to tell
  }
}

/** Says on stderr what is wrong with this process: the log of a program may go anywhere, and these are last words. */
export const complain = (detail: string): void => {
  try {
    writeSync(2, `effect-flame: ${detail}\n`)
  } catch {
    // nobody reads
  }
}
