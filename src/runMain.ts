/** Runs the program of a parent or a runner: handles signals, and ends the process with the right exit code. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import { NeverConnected, servicesFailed } from "./error/BootFailure.ts"
import { checkNode } from "./function/Requirements.ts"
import * as Steps from "./process/Steps.ts"
import * as UnsentLogs from "./process/UnsentLogs.ts"
import { bootTimeLeft, current, report } from "./process/Role.ts"
import * as Shutdown from "./process/Shutdown.ts"
import { runAtStart } from "./process/SnapshotStart.ts"

type Signal = "SIGTERM" | "SIGINT"

/** The exit codes that a shell reports for a process that a signal ended. */
const signalCodes: Readonly<Record<Signal, number>> = { SIGTERM: 143, SIGINT: 130 }

/** The exit code of an interrupted program, as `Runtime.defaultTeardown` has it. */
const interruptedCode = 130

/**
 * Runs an effect as the main program of a Node process, with the shutdown that pools and runners need.
 *
 * The first SIGTERM or SIGINT begins a shutdown, a second one interrupts the program at once:
 *
 * 1. An app that is a Layer, given to `Flame.main` or `Flame.launch`, is closed while its pools still serve: a server
 *    stops accepting and its requests finish, with all the calls that they make.
 * 2. The pools take no new calls, and calls in flight may end. Both steps share one budget, the pool's `drainTimeout`.
 * 3. The program is interrupted.
 *
 * | exit code | when |
 * |---|---|
 * | 0 | the program succeeded, or its app is a Layer that was closed by a signal and lost no call |
 * | 1 | the program failed, also during a shutdown; the error is logged |
 * | 143, 130 | SIGTERM or SIGINT ended a program that had not finished, such as a batch |
 *
 * A runner drains on SIGTERM and then exits with 0. A runner ignores SIGINT, because a terminal sends it to the parent
 * as well. The process exits at the end of the program, whatever handles are still open. `disableErrorReporting` and
 * `teardown` are those of Effect's `Runtime.makeRunMain`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame, FlameLayer } from "effect-flame"
 *
 * const square = Flame.fn("square", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * n))
 *
 * Flame.main({
 *   functions: [square],
 *   app: Effect.flatMap(Flame.call(square, { n: 3 }), Effect.log),
 *   flame: FlameLayer.auto()
 * }).pipe(Flame.runMain)
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const runMain: RunMain = ((first: unknown, options?: RunOptions) => {
  if (!Effect.isEffect(first)) return (effect: Effect.Effect<unknown, unknown>) => runMain(effect, first as RunOptions)
  const program = first as Effect.Effect<unknown, unknown>
  const reported = options?.disableErrorReporting === true ? program : Effect.onError(program, logFailure)
  return runAtStart(() => run(reported, { ...options, disableErrorReporting: true }))
}) as RunMain

type RunMain = ReturnType<typeof Runtime.makeRunMain>
type RunOptions = Parameters<RunMain>[1]

/**
 * Logs the failure of a program, as a finalizer. A program that fails while pools drain is interrupted at the end of the
 * drain, and the report of `makeRunMain` itself would be skipped then.
 */
const logFailure = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Cause.hasInterruptsOnly(cause) || !Runtime.getErrorReported(Cause.squash(cause))
    ? Effect.void
    : Effect.logError(cause)

const run = Runtime.makeRunMain(({ fiber, teardown }) => {
  checkNode()
  Steps.ran()
  const role = current()
  const isRunner = role._tag === "Runner"
  let draining: Fiber.Fiber<void> | undefined
  let end: "own" | "drained" | "interrupted" | "booting" = "own"
  let signal: Signal | undefined

  const onSignal = (received: Signal) => {
    signal = received
    if (draining === undefined) {
      end = isRunner && !Shutdown.wasUsed() ? "booting" : "drained"
      if (!isRunner && Shutdown.wasUsed()) {
        // Without this line a long drain looks like a program that ignores Ctrl-C.
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

  // A runner whose services are being built does not read its connection yet, so it would not notice the end of its
  // parent.
  const giveUp = (after: number) => {
    if (draining !== undefined || Shutdown.wasUsed()) return
    // The same reason as the parent's, which gives up at the same moment.
    const hint = "its program runs but never served; are its services slow to build? raise `bootTimeout`"
    report(new NeverConnected({ phase: "started", hint, after }))
    onSignal("SIGTERM")
  }
  // `Effect.sleep` and not `setTimeout`, which fires at once if the delay is above 24.8 days.
  if (role._tag === "Runner")
    Effect.runFork(
      Effect.delay(
        Effect.sync(() => giveUp(role.bootTimeout)),
        bootTimeLeft(role)
      )
    )

  const onTerm = () => onSignal("SIGTERM")
  process.on("SIGTERM", onTerm)
  process.on("SIGINT", isRunner ? () => {} : () => onSignal("SIGINT"))

  fiber.addObserver((exit) => {
    const asked = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    // Services that are provided around `serve` fail here.
    if (isRunner && Exit.isFailure(exit) && !asked && !Shutdown.wasUsed()) {
      report(servicesFailed(exit.cause))
    }
    // A runner that does not serve yet must die by the signal: an exit with 0 would be reported as `NotARunner`.
    if (asked && end === "booting") return dieOfSigterm(onTerm)
    const exitProcess = () => {
      const isDrained = end === "drained" && (isRunner || Shutdown.isComplete())
      teardown<unknown, unknown>(judged(exit, asked, isDrained, signal !== undefined), (code) =>
        process.exit(signal !== undefined && code === interruptedCode ? signalCodes[signal] : code)
      )
    }
    // Pools may belong to a runtime beside the program, so they drain to their end also when the program has ended.
    if (draining === undefined) exitProcess()
    else draining.addObserver(exitProcess)
  })
})

/**
 * The exit that decides the exit code. A signal interrupts a program, but a program that was only drained succeeded.
 */
const judged = (
  exit: Exit.Exit<unknown, unknown>,
  asked: boolean,
  isDrained: boolean,
  isSignalled: boolean
): Exit.Exit<unknown, unknown> => {
  if (!isSignalled || (Exit.isFailure(exit) && !asked)) return exit
  if (isDrained) return Exit.void
  // Closing an app that is a Layer succeeds even if calls were cut.
  return Shutdown.hadAppToClose() ? Exit.interrupt() : exit
}

const dieOfSigterm = (listener: () => void): void => {
  UnsentLogs.write()
  // The kernel drops a signal that process 1 of a container sends to itself.
  if (process.pid === 1) process.exit(signalCodes.SIGTERM)
  process.removeListener("SIGTERM", listener)
  process.kill(process.pid, "SIGTERM")
}
