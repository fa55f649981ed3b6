/** Stops the API server's process on this machine, or kills and restarts it. */
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

/**
 * Stops the process by SIGSTOP, until the Scope closes or the returned effect runs. Connections stay open, and nothing
 * is answered.
 */
export const stopped: Effect.Effect<Effect.Effect<void>, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const server = pid()
    process.kill(server, "SIGSTOP")
    return Effect.sync(() => void process.kill(server, "SIGCONT"))
  }),
  (goOn) => goOn
)

/** Kills the process, until the Scope closes or the returned effect starts it again. Its caches are empty then. */
export const killed: Effect.Effect<Effect.Effect<void>, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const { kube } = inject("cluster").tools
    process.kill(pid(), "SIGKILL")
    // Starts missing processes, and waits until the nodes are ready. Runs beside this process, which is the parent
    // under test.
    return Effect.promise(() => run(kube!, ["up"], { maxBuffer: Infinity }))
  }),
  (start) => start
)
