/** Runs the program of a process that has runners or is one: what a signal means, and how the process ends. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import { NeverConnected, ServicesFailed } from "./error/BootFailure.ts"
import { checkNode } from "./function/Requirements.ts"
import * as Steps from "./process/Steps.ts"
import * as UnsentLogs from "./process/UnsentLogs.ts"
import { bootTimeLeft, current, report } from "./process/Role.ts"
import * as Shutdown from "./process/Shutdown.ts"

/**
 * Runs an effect as the main program of a Node process, with the shutdown that pools and runners need.
 *
 * The first SIGTERM or SIGINT drains: pools take no new calls, calls in flight may end within `drainTimeout`, then the
 * program is interrupted and the process exits with 0. A second signal interrupts at once. A runner drains on SIGTERM
 * and leaves SIGINT to its parent, because a terminal sends it to both. At its end the process exits, whatever is left
 * open. Errors are logged, and decide the exit code, as with `NodeRuntime.runMain`.
 */
export const runMain = Runtime.makeRunMain(({ fiber, teardown }) => {
  checkNode()
  Steps.ran()
  const role = current()
  const isRunner = role._tag === "Runner"
  let draining: Fiber.Fiber<void> | undefined
  let end: "own" | "drained" | "interrupted" | "booting" = "own"

  const onSignal = () => {
    if (draining === undefined) {
      end = isRunner && !Shutdown.wasUsed() ? "booting" : "drained"
      if (!isRunner && Shutdown.wasUsed()) {
        // a drain may take a while, and must not look like a program that ignores Ctrl-C
        const log = Effect.logInfo("stopping: calls in flight may end first; a second signal interrupts them")
        Effect.runForkWith(fiber.context)(log)
      }
      draining = Effect.runFork(Shutdown.drain)
      draining.addObserver(() => fiber.interruptUnsafe(fiber.id))
    } else {
      end = "interrupted"
      draining.interruptUnsafe()
      fiber.interruptUnsafe(fiber.id)
    }
  }

  // nobody would end a runner that waits for its services when its parent is gone
  const giveUp = (after: number) => {
    if (draining !== undefined || Shutdown.wasUsed()) return
    // a parent that is there gives up at the same moment, and must not hear another reason when it is late
    const hint = "its program runs but never served; are its services slow to build? raise `bootTimeout`"
    report(new NeverConnected({ phase: "started", hint, after }))
    onSignal()
  }
  if (role._tag === "Runner") setTimeout(() => giveUp(role.bootTimeout), bootTimeLeft(role)).unref()

  process.on("SIGTERM", onSignal)
  process.on("SIGINT", isRunner ? () => {} : onSignal)

  fiber.addObserver((exit) => {
    const asked = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    // services that are provided around `serve` fail here
    if (isRunner && Exit.isFailure(exit) && !asked && !Shutdown.wasUsed()) {
      report(new ServicesFailed({ detail: Cause.pretty(exit.cause).slice(0, 2_000) }))
    }
    // the end of a runner that does not serve yet is told as what it is: an exit with 0 would be "not a runner"
    if (asked && end === "booting") return dieOf("SIGTERM", onSignal)
    teardown<unknown, unknown>(asked && end === "drained" ? Exit.void : exit, (code) => process.exit(code))
  })
})

const dieOf = (signal: "SIGTERM", listener: () => void): void => {
  UnsentLogs.write()
  process.removeListener(signal, listener)
  process.kill(process.pid, signal)
}
