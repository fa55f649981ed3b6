/**
 * How this process was started: as a parent, or as a runner of one.
 *
 * A parent gives a runner its role in the variables of `RoleVariables.ts`. This module reads them once and keeps the role.
 * `AppRole.ts` has the part of the role that an app sees.
 */
import { type BootFailure, NeverConnected, NotARunner } from "../error/BootFailure.ts"
import { fail } from "../wire/Frame.ts"
import * as LateTransport from "../wire/LateTransport.ts"
import * as LocalSocket from "../wire/LocalSocket.ts"
import { fromDuplex, startedBy, type Transport } from "../wire/Transport.ts"
import { builtin } from "../function/Builtin.ts"
import { noPods } from "../function/Requirements.ts"
import { handedSession } from "./HandedSession.ts"
import * as Variables from "./RoleVariables.ts"
import { onStart } from "./SnapshotStart.ts"

/** An ordinary process, which may have runners of its own. */
export interface Parent {
  readonly _tag: "Parent"
}

/** A process that was started to serve its parent. Durations are in milliseconds. */
export interface Runner {
  readonly _tag: "Runner"
  /** Name of this runner. */
  readonly id: string
  /** Id of the pool it belongs to. */
  readonly pool: string
  /** Identity of the life of the parent that started this process. */
  readonly life: string
  /** How long its boot may take, counted from the start of this process. */
  readonly bootTimeout: number
  /** Milliseconds that calls in flight may take to end once this runner drains. */
  readonly drainTimeout: number
  /** Milliseconds that finalizers may take after an interruption. */
  readonly cancelGrace: number
  /** Its parent, for people. */
  readonly parent: string
  /** The byte pipe to the parent; every call returns the same one. Over a network it connects by itself. */
  readonly transport: () => Transport
  /** Tells the parent why this process will not serve. */
  readonly report: (cause: BootFailure) => void
}

/** A process with the role variables of another process. Such a process is no runner, and may not have runners. */
export interface Refused {
  readonly _tag: "Refused"
  /** Why the role does not hold here. */
  readonly detail: string
}

/** How this process was started. */
export type Role = Parent | Runner | Refused

/** The file of a container's termination message, unless `FLAME_RUNNER_REPORT` names another, and the bytes that are kept. */
const terminationLog = "/dev/termination-log"
const reportLimit = 4_096

/** The beginning of a report in such a file. */
export const reportPrefix = "effect-flame:"

/** The descriptor of the socketpair whose other end the parent holds. */
const fd = 3

/** The role that the variables stand for, in a process with that parent or in a thread of it. */
export const decode = (taken: Variables.Taken | undefined, isMain?: boolean): Role => {
  if (taken === undefined) return { _tag: "Parent" }
  if (!(isMain ?? isMainThread())) {
    return { _tag: "Refused", detail: "this is a worker thread of a runner, which cannot be a runner or have any" }
  }
  const text = (name: Variables.RoleVariable) => (typeof taken[name] === "string" ? taken[name] : "")
  const id = text("ID")
  // Started with a runner's options of Node, but not as a runner.
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
  if (text("PARENT") === Variables.network) {
    const way = { address: text("ADDRESS"), listen: text("LISTEN"), identity: text("IDENTITY"), key: text("KEY") }
    if (way.identity !== "" && way.key !== "" && (way.address !== "" || way.listen !== "")) {
      return overNetwork(spec, way, text("REPORT"))
    }
    const detail = `runner ${id} was started without all of ${Variables.prefix}ADDRESS (or LISTEN), IDENTITY and KEY: it cannot reach its parent`
    return { _tag: "Refused", detail }
  }
  if (text("PARENT") !== `${taken.ppid}`) {
    const started = `process ${text("PARENT")} started, but this process was started by ${taken.ppid}`
    const detail = `the ${Variables.prefix}* variables here are those of runner ${id}, which ${started}: do not pass a runner's environment on`
    return { _tag: "Refused", detail }
  }
  let transport: Transport | undefined
  return {
    ...spec,
    parent: `process ${taken.ppid}`,
    transport: () =>
      (transport ??=
        process.versions["bun"] !== undefined
          ? // Bun's `Socket` does not read from a descriptor
            fromDuplex(builtin("node:net").connect({ fd } as object as { path: string }))
          : LocalSocket.fromSocket(
              (onread) => new (builtin("node:net").Socket)({ fd, readable: true, writable: true, onread })
            )),
    report: (cause) => void builtin("node:fs").writeSync(fd, fail(cause))
  }
}

/**
 * Whether this is the main thread: a worker thread may not change the directory of its process, not even to the same one.
 *
 * `node:worker_threads` would tell too, but loading it takes one to three milliseconds of each boot.
 */
const isMainThread = (): boolean => {
  try {
    process.chdir(".")
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ERR_WORKER_UNSUPPORTED_OPERATION"
  }
}

/** The role of a runner whose parent is on another machine. The key stays in this closure, where nothing prints it. */
const overNetwork = (
  spec: Omit<Runner, "parent" | "transport" | "report">,
  way: Readonly<Record<"address" | "listen" | "identity" | "key", string>>,
  file: string
): Runner => {
  const isDialling = way.address !== ""
  // Imported here, because a local runner must not load TLS during its boot.
  const connect = async (signal: AbortSignal): Promise<Transport> => {
    const { connectParent } = await import("../wire/network/ConnectParent.ts")
    try {
      const refusal = noPods()
      if (refusal !== undefined) throw new NotARunner({ detail: refusal })
      // Gives up 250 ms before the other limits of the boot, which know less about the cause.
      return await connectParent(way, Math.max(0, bootTimeLeft(spec) - 250), signal)
    } catch (error) {
      // The parent cannot hear this runner, but may read the container's termination message.
      if (error instanceof NeverConnected || error instanceof NotARunner) {
        report(error)
        complain(`runner ${spec.id} ends: ${error instanceof NotARunner ? error.detail : error.hint}`)
      }
      throw error
    }
  }
  const open = (): Transport => {
    const handed = handedSession()
    if (handed === undefined) return LateTransport.make(connect)
    handed.take()
    const { socket } = handed
    const pipe = fromDuplex(socket)
    return startedBy(pipe, (handlers) => {
      pipe.start(handlers)
      // The bootstrap has paused the socket, so that no bytes are lost.
      socket.resume()
    })
  }
  let transport: Transport | undefined
  return {
    ...spec,
    parent: isDialling ? way.address : `a parent that connects to port ${way.listen}`,
    transport: () => (transport ??= open()),
    report: (cause) => {
      const handed = handedSession()
      // The connection exists already, and its parent listens.
      if (handed !== undefined) handed.socket.write(fail(cause))
      const path = file !== "" ? file : terminationLog
      const fs = builtin("node:fs")
      if (file !== "" || fs.existsSync(path)) fs.writeFileSync(path, reportText(cause))
    }
  }
}

/** A report as text of at most 4 KiB, which is all that is kept: long details are cut, so that the JSON stays whole. */
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

/** The role of this process; every call returns the same one. */
export const current = (): Role => (role ??= decode(Variables.take()))

// Read at once if the option of Node did not remove the variables: code that runs next must not find a key.
onStart(() => {
  if (Variables.isInEnvironment()) current()
})

/**
 * Ends a process that was started as a runner and turns out not to be one, such as an app that starts apps.
 *
 * Reports the reason to the parent first, which fails the boot for good. Must not be called once the runner serves.
 */
export const refuse = (detail: string): never => {
  report(new NotARunner({ detail }))
  complain(detail)
  process.exit(1)
}

let reported = false

/** Tells the parent of a runner, before the runner serves, why it will not. Only the first reason is sent. */
export const report = (cause: BootFailure): void => {
  const role = current()
  if (reported || role._tag !== "Runner") return
  reported = true
  try {
    role.report(cause)
  } catch {
    // the parent is gone or has closed the connection, so nobody can receive the report
  }
}

/** Writes to stderr what is wrong with this process. The program's logger is not used: its output may go anywhere. */
export const complain = (detail: string): void => {
  try {
    builtin("node:fs").writeSync(2, `effect-flame: ${detail}\n`)
  } catch {
    // stderr is closed
  }
}
