/**
 * How this process was started: as a parent, or as a runner of one.
 *
 * A parent gives a runner its role in variables, such as `FLAME_RUNNER_ID`. They hold for that one process, and are taken out
 * of the environment before user code loads, so that nothing a function starts is ever taken for a runner.
 */
import { type BootFailure, NeverConnected, NotARunner } from "../error/BootFailure.ts"
import { fail } from "../wire/Frame.ts"
import * as LateTransport from "../wire/LateTransport.ts"
import * as LocalSocket from "../wire/LocalSocket.ts"
import type { Transport } from "../wire/Transport.ts"
import { builtin } from "../function/Builtin.ts"

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
  /** Its parent, for people. */
  readonly parent: string
  /** The byte pipe to its parent, the same at every call; over a network it is there at once and connects by itself. */
  readonly transport: () => Transport
  /** Tells its parent why it will not serve. */
  readonly report: (cause: BootFailure) => void
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
const names = [
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
  "REPORT"
] as const

/** Whether a variable belongs to a runner's role. A parent's own one is never handed on to its runners. */
export const isVariable = (name: string): boolean => names.some((each) => name === prefix + each)

/** What stands for the parent's pid where that is on another machine. */
const network = "network"

/** The variable with the key of a runner that is reached over a network; a secret, unlike the others. */
export const keyVariable = `${prefix}KEY`

/** The variable with the file for the reason why a runner that is reached over a network will not serve. */
export const reportVariable = `${prefix}REPORT`

/** Where a container's last words go, unless `reportVariable` names another file, and how many bytes are kept. */
const terminationLog = "/dev/termination-log"
const reportLimit = 4_096

/** What a report in such a file begins with. */
export const reportPrefix = "effect-flame:"

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
  "const e=process.env,t={ppid:process.ppid,at:process.uptime()*1e3};" +
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

type Spec = Pick<Runner, "id" | "pool" | "life" | "bootTimeout" | "drainTimeout" | "cancelGrace">

const common = (spec: Spec, parent: string): Record<string, string> => ({
  [`${prefix}ID`]: spec.id,
  [`${prefix}POOL`]: spec.pool,
  [`${prefix}LIFE`]: spec.life,
  [`${prefix}PARENT`]: parent,
  [`${prefix}BOOT_TIMEOUT`]: `${spec.bootTimeout}`,
  [`${prefix}DRAIN_TIMEOUT`]: `${spec.drainTimeout}`,
  [`${prefix}CANCEL_GRACE`]: `${spec.cancelGrace}`
})

/** The variables that make a process started by process `parent` a runner. */
export const variables = (spec: Spec, parent: number): Record<string, string> => common(spec, `${parent}`)

/** How a runner and its parent come together over a network: the runner dials, or listens where its parent comes to it. */
export type Way = { readonly address: string } | { readonly listen: number }

/** The variables that make a process on any machine a runner, but for its key: that goes into `keyVariable`. */
export const networkVariables = (spec: Spec, identity: string, way: Way): Record<string, string> => ({
  ...common(spec, network),
  [`${prefix}IDENTITY`]: identity,
  ...("address" in way ? { [`${prefix}ADDRESS`]: way.address } : { [`${prefix}LISTEN`]: `${way.listen}` })
})

/** The role that the variables stand for in a process with that parent, or in a thread of it. */
export const decode = (taken: Taken | undefined, isMain?: boolean): Role => {
  if (taken === undefined) return { _tag: "Parent" }
  if (!(isMain ?? isMainThread())) {
    return { _tag: "Refused", detail: "this is a worker thread of a runner, which cannot be a runner or have any" }
  }
  const text = (name: (typeof names)[number]) => (typeof taken[name] === "string" ? taken[name] : "")
  const id = text("ID")
  // started with a runner's options of Node, but not as one
  if (id === "") return { _tag: "Parent" }
  const spec = {
    _tag: "Runner" as const,
    id,
    pool: text("POOL"),
    life: text("LIFE"),
    bootTimeout: Number(text("BOOT_TIMEOUT")),
    drainTimeout: Number(text("DRAIN_TIMEOUT")),
    cancelGrace: Number(text("CANCEL_GRACE"))
  }
  if (text("PARENT") === network) {
    const way = { address: text("ADDRESS"), listen: text("LISTEN"), identity: text("IDENTITY"), key: text("KEY") }
    if (way.identity !== "" && way.key !== "" && (way.address !== "" || way.listen !== "")) {
      return overNetwork(spec, way, text("REPORT"))
    }
    const detail = `runner ${id} was started without all of ${prefix}ADDRESS (or LISTEN), IDENTITY and KEY: it cannot reach its parent`
    return { _tag: "Refused", detail }
  }
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
    ...spec,
    parent: `process ${taken.ppid}`,
    transport: () =>
      (transport ??= LocalSocket.fromSocket(
        (onread) => new (builtin("node:net").Socket)({ fd, readable: true, writable: true, onread })
      )),
    report: (cause) => void builtin("node:fs").writeSync(fd, fail(cause))
  }
}

/**
 * Whether this is no worker thread: those may not change the directory of their process, not even to what it is.
 *
 * `node:worker_threads` would tell too, and with what it loads take one to three milliseconds of each boot.
 */
const isMainThread = (): boolean => {
  try {
    process.chdir(".")
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ERR_WORKER_UNSUPPORTED_OPERATION"
  }
}

/** The role of a runner whose parent is on another machine. The key stays in here, where nothing prints it. */
const overNetwork = (
  spec: Omit<Runner, "parent" | "transport" | "report">,
  way: Readonly<Record<"address" | "listen" | "identity" | "key", string>>,
  file: string
): Runner => {
  const isDialling = way.address !== ""
  // TLS is loaded where it is needed only: the boot of a local runner does not pay for it
  const connect = async (signal: AbortSignal): Promise<Transport> => {
    const { connectParent } = await import("../wire/network/ConnectParent.ts")
    try {
      // before the others that wait for the same moment, who know less of what went wrong
      return await connectParent(way, Math.max(0, bootTimeLeft(spec) - 250), signal)
    } catch (error) {
      // its parent, which does not hear it, may find it where the container's last words are
      if (error instanceof NeverConnected) {
        report(error)
        complain(`runner ${spec.id} ends: ${error.hint}`)
      }
      throw error
    }
  }
  let transport: Transport | undefined
  return {
    ...spec,
    parent: isDialling ? way.address : `whoever connects to port ${way.listen}`,
    transport: () => (transport ??= LateTransport.make(connect)),
    report: (cause) => {
      const path = file !== "" ? file : terminationLog
      const fs = builtin("node:fs")
      if (file !== "" || fs.existsSync(path)) fs.writeFileSync(path, reportText(cause))
    }
  }
}

/** A report as text of at most 4 KiB, which is all that is kept: details are cut rather than the end of it. */
const reportText = (cause: BootFailure): string => {
  for (let length = reportLimit; ; length = length >> 1) {
    const cut = (_: string, value: unknown) => (typeof value === "string" ? value.slice(0, length) : value)
    const text = reportPrefix + JSON.stringify({ ...cause }, cut)
    if (Buffer.byteLength(text) <= reportLimit || length === 0) return text
  }
}

/** Milliseconds that are left of a runner's boot. */
export const bootTimeLeft = (role: Pick<Runner, "bootTimeout">): number =>
  Math.max(0, Math.round(role.bootTimeout - process.uptime() * 1000))

let role: Role | undefined

/** The role of this process; the same at every call. */
export const current = (): Role => (role ??= decode((globalThis as { [key]?: Taken })[key] ?? takeFromEnvironment()))

// at once, where nothing was loaded ahead of the program: what it runs next must not find a key
if (process.env[`${prefix}ID`]) current()

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
  const role = current()
  if (reported || role._tag !== "Runner") return
  reported = true
  try {
    role.report(cause)
  } catch {
    // the parent is gone, or has closed: nobody to tell
  }
}

/** Says on stderr what is wrong with this process: the log of a program may go anywhere, and these are last words. */
export const complain = (detail: string): void => {
  try {
    builtin("node:fs").writeSync(2, `effect-flame: ${detail}\n`)
  } catch {
    // nobody reads
  }
}
