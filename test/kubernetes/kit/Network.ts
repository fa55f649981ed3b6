/** The network of a pod, on this machine: cut off, packets to and from it are lost without a word. */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { exec } from "./Cluster.ts"

const interfaces = "/sys/class/net"

/** This machine's end of a pod's cable. */
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

/** Cuts a pod off, until the Scope closes. */
export const cutOff = (namespace: string, pod: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const index = (yield* exec(namespace, pod, "cat", "/sys/class/net/eth0/iflink")).trim()
    const name = cable(index)
    yield* Effect.acquireRelease(
      Effect.sync(() => set(name, "down")),
      () => Effect.ignore(Effect.try(() => set(name, "up")))
    )
  })
