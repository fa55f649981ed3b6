/** Breaks the network of a pod from this machine: drops packets silently, in one or both directions. */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { exec, pod } from "./Cluster.ts"
import { until } from "../../fixtures/conformance-process/patience.ts"
import { host } from "./HostParent.ts"
import { processes } from "./Leaks.ts"

const interfaces = "/sys/class/net"

/** This machine's end of a pod's virtual cable. */
const cable = (index: string): string => {
  const name = readdirSync(interfaces).find(
    (name) => readFileSync(`${interfaces}/${name}/ifindex`, "utf8").trim() === index
  )
  if (name === undefined) throw new Error(`no network interface of this machine has the index ${index}`)
  return name
}

const set = (name: string, state: "up" | "down"): void => {
  execFileSync("ip", ["link", "set", "dev", name, state], { stdio: "ignore" })
}

/** Drops all packets of a pod, until the Scope closes. */
export const cutOff = (namespace: string, pod: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const index = (yield* exec(namespace, pod, "cat", "/sys/class/net/eth0/iflink")).trim()
    const name = cable(index)
    yield* Effect.acquireRelease(
      Effect.sync(() => set(name, "down")),
      () => Effect.ignore(Effect.try(() => set(name, "up")))
    )
  })

/** The destination of frames that must not arrive. */
const nobody = "02:00:00:00:00:01"

const ip = (command: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("ip", [command, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })

const addressOf = (namespace: string, name: string): Effect.Effect<string> =>
  pod(namespace, name, ({ status }) => status?.podIP as string | undefined, "the address")

/** Drops all packets to a pod from this machine, until the Scope closes. Packets from the pod arrive. */
export const deafen = (namespace: string, name: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const address = yield* addressOf(namespace, name)
    const device = /dev (\S+)/.exec(ip("route", "get", address))![1]!
    yield* Effect.acquireRelease(
      Effect.sync(() => void ip("neigh", "replace", address, "lladdr", nobody, "dev", device, "nud", "permanent")),
      // Already gone, if the pod and with it the device is gone.
      () => Effect.ignore(Effect.try(() => ip("neigh", "del", address, "dev", device)))
    )
  })

/** Whether a pod has acknowledged everything that this machine has sent. */
const areQuiet = (address: string): boolean => {
  const table = execFileSync("ss", ["-tnH", "state", "established", "dst", address], { encoding: "utf8" })
  // The second column is the number of unacknowledged bytes.
  return table
    .trim()
    .split("\n")
    .every((line) => line.split(/\s+/)[1] === "0")
}

/**
 * Drops all packets from a pod, for as long as the pod lives. Packets to the pod arrive.
 *
 * Waits until the pod has acknowledged the first bytes of its second connection, which may take 40 ms. Before that the
 * kernel would retransmit these bytes instead of sending keepalives.
 */
export const silence = (namespace: string, name: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    const address = yield* addressOf(namespace, name)
    yield* until(() => areQuiet(address), `nothing is under way to ${address}`)
    const [line = ""] = processes(namespace, `HOSTNAME=${name}`)
    const inside = ["-t", line.split(" ")[0]!, "-n", "ip", "neigh", "replace", host]
    execFileSync("nsenter", [...inside, "lladdr", nobody, "dev", "eth0", "nud", "permanent"], { stdio: "ignore" })
  })
