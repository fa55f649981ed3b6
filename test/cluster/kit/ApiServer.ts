/** The API server's program, which runs on this machine: stopped, or killed and started again. */
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { inject } from "vitest"

const run = promisify(execFile)

const pid = (): number => {
  const pid = readdirSync("/proc").find((pid) => {
    try {
      return /^\d+$/.test(pid) && /(^|[\0/])kube-apiserver\0/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"))
    } catch {
      return false
    }
  })
  if (pid === undefined) throw new Error("there is no kube-apiserver on this machine")
  return Number(pid)
}

/** Stops it, until the Scope closes or it is told to go on: its connections stay, and nothing is answered. */
export const stopped: Effect.Effect<Effect.Effect<void>, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const server = pid()
    process.kill(server, "SIGSTOP")
    return Effect.sync(() => void process.kill(server, "SIGCONT"))
  }),
  (goOn) => goOn
)

/** Kills it, until the Scope closes or it is started again; its caches are empty then. */
export const killed: Effect.Effect<Effect.Effect<void>, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const { kube } = inject("cluster").tools
    process.kill(pid(), "SIGKILL")
    // starts what is not there, and waits until the nodes are ready; this process, which is the parent, goes on meanwhile
    return Effect.promise(() => run(kube!, ["up"], { maxBuffer: Infinity }))
  }),
  (start) => start
)
