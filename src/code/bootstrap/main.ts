/**
 * The program of a runner that has nothing but Node: `node -e <this> <hash> [arguments]`.
 *
 * Connects to its parent, gets the code of that hash over the session, and checks the code. Leaves the open session in a
 * global (`process/HandedSession.ts`), from which `process/Role.ts` of the loaded code takes it. `scripts/bootstrap.ts` makes
 * `BootstrapText.ts` of this file and its imports.
 */
import type { Duplex } from "node:stream"
import { Kind } from "../../wire/Frame.ts"
import { type HandedSession, sessionKey } from "../../process/HandedSession.ts"
import * as Variables from "../../process/RoleVariables.ts"
import { type CodeIndex, unpack } from "../CodePack.ts"
import { connect } from "./Connect.ts"
import { BootError, type Failure, report } from "./Failure.ts"
import * as Frames from "./Frames.ts"
import { install, type Installed } from "./Modules.ts"
import { receive } from "./Receive.ts"
import * as Stacks from "./Stacks.ts"

/** The oldest Node that runs this library; the same as in `function/Requirements.ts`. */
const oldest = [22, 19] as const

/** Takes the variables of the role out of the environment, as `RoleVariables.preload` does: the code must not find the key. */
const takeRole = (): Record<string, string | undefined> => {
  const taken: Record<string, string | undefined> = {}
  for (const name of Variables.names) {
    taken[name] = process.env[Variables.prefix + name]
    delete process.env[Variables.prefix + name]
  }
  return taken
}

/** Whether the program uses the session. */
let isTaken = false

const isOld = (): boolean => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1])
}

const boot = async (
  hash: string,
  taken: ReturnType<typeof takeRole>,
  open: (socket: Duplex) => void
): Promise<void> => {
  if (isOld()) {
    throw new BootError({ _tag: "NodeTooOld", found: process.versions.node, needed: oldest.join(".") })
  }
  const text = (name: Variables.RoleVariable) => taken[name] ?? ""
  const socket = await connect({
    address: text("ADDRESS"),
    listen: text("LISTEN"),
    identity: text("IDENTITY"),
    key: text("KEY"),
    // Gives up 250 ms before the parent does, because the parent knows less about the cause.
    patience: Math.max(0, Number(text("BOOT_TIMEOUT")) - process.uptime() * 1_000 - 250)
  })
  // The end of the connection follows an error. The user of the session handles that end.
  socket.on("error", () => {})
  open(socket)
  const packed = await receive(socket, hash)
  const { files, index } = unpack(packed)
  const installed = install(index, files, hash)
  const stacks = Stacks.make(files, installed.root)
  Frames.send(socket, Kind.CodeKept, {})
  const session: HandedSession = {
    socket,
    take: () => {
      isTaken = true
      stacks.install()
    }
  }
  const role: Variables.Taken & { readonly at: number } = { ...taken, ppid: process.ppid, at: process.uptime() * 1_000 }
  Object.defineProperty(globalThis, Symbol.for(sessionKey), { value: session })
  Object.defineProperty(globalThis, Symbol.for(Variables.roleKey), { value: role })
  // The code sees the command line that it would have as a file.
  process.argv.splice(1, 1, installed.entry)
  process.execArgv.splice(0, Infinity, ...withoutProgram(process.execArgv))
  process.on("newListener", yieldSignal)
  try {
    await import(process.getBuiltinModule("node:url").pathToFileURL(installed.entry).href)
  } catch (error) {
    if (isTaken) throw error
    throw new BootError(failureOf(error, installed, index.native, stacks))
  }
}

/** The options of Node without the text of this program, which `child_process.fork` would run again. */
const withoutProgram = (options: ReadonlyArray<string>): ReadonlyArray<string> => {
  const at = options.indexOf("-e")
  return at < 0 ? options : [...options.slice(0, at), ...options.slice(at + 2)]
}

/** The cause of an error with which the code failed while it was loaded. */
const failureOf = (
  error: unknown,
  installed: Installed,
  native: CodeIndex["native"],
  stacks: Stacks.Stacks
): Failure => {
  const cause: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error))
  const { code, message, stack } = cause
  const missing = installed.unresolved()
  if ((code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") && missing !== undefined) {
    const left = native[missing.specifier]
    if (left !== undefined) return { _tag: "CodeNative", ...left }
    return { _tag: "CodeUnresolved", ...missing, detail: message.split("\n", 1)[0] }
  }
  const [, name] =
    /[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(code === "ENOENT" ? (cause.path ?? "") : "") ?? []
  if (name !== undefined) return { _tag: "CodeNative", package: name, detail: `it reads files of its own (${message})` }
  return { _tag: "Crashed", exitCode: null, detail: stacks.mapped(stack ?? message).slice(0, 2_000) }
}

// As process 1 of a container Node ignores SIGTERM without a listener, also while the program loads and builds its services.
const leave = () => process.exit(143)

/**
 * Removes this listener of SIGTERM once the program adds its own. The removal comes after the addition, so that there is always
 * a listener.
 */
const yieldSignal = (name: string | symbol): void => {
  if (name !== "SIGTERM") return
  process.removeListener("newListener", yieldSignal)
  queueMicrotask(() => process.removeListener("SIGTERM", leave))
}

const start = (): void => {
  process.on("SIGTERM", leave)
  const taken = takeRole()
  let socket: Duplex | undefined
  boot(process.argv[1] ?? "", taken, (opened) => (socket = opened)).catch((error: unknown) => {
    const failure =
      error instanceof BootError ? error.failure : { _tag: "Crashed", exitCode: null, detail: String(error) }
    process.exitCode = 1
    // The program serves already, so its rejection is its own.
    if (isTaken) throw error
    report(failure, taken["REPORT"])
    if (socket === undefined || socket.destroyed) return process.exit(1)
    Frames.send(socket, Kind.Fail, failure)
    socket.end(() => process.exit(1))
    setTimeout(() => process.exit(1), 2_000)
  })
}

start()
