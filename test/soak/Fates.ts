/** The faults done to each runner, and the ends that its callers may therefore see. */
import type { BootFailure, PoolEvent, RunnerExit } from "../../src/index.ts"
import type { Ledger } from "./Ledger.ts"

interface Fate {
  /** The signals that the soak has sent to the runner. */
  readonly signals: Set<string>
  /** The reason for which its pool told the runner to end. */
  why: string | undefined
  /** The end of the runner. */
  exit: RunnerExit.RunnerExit | undefined
}

export class Fates {
  readonly failedBoots = new Map<string, number>()
  /** The number of events of each kind. */
  readonly events = new Map<string, number>()
  lost = 0
  private readonly runners = new Map<string, Fate>()
  private readonly ledger: Ledger

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  private of(runner: string): Fate {
    let fate = this.runners.get(runner)
    if (fate === undefined) this.runners.set(runner, (fate = { signals: new Set(), why: undefined, exit: undefined }))
    return fate
  }

  signalled(runner: string, signal: string): void {
    this.of(runner).signals.add(signal)
  }

  /** Whether a runner ended in another way than by itself after a drain. */
  isLost(runner: string): boolean {
    const { exit, signals } = this.of(runner)
    return signals.size > 0 || (exit !== undefined && !(exit.reason._tag === "Exited" && exit.reason.code === 0))
  }

  event(event: PoolEvent): void {
    this.events.set(event._tag, (this.events.get(event._tag) ?? 0) + 1)
    switch (event._tag) {
      case "BootFailed":
        return this.bootFailed(event.runner, event.cause)
      case "RunnerDraining":
        this.of(event.runner).why = event.why
        return
      case "RunnerGone": {
        const fate = this.of(event.runner)
        fate.exit = event.exit
        fate.why ??= event.why
        if (event.why === undefined) this.lost++
        const problem = this.unexplained(event.runner, event.exit.reason)
        if (problem !== undefined) this.ledger.violation(`runner ${event.runner} went: ${problem}`)
        return
      }
      default:
    }
  }

  /** Fails on any event of a fault on the calm pool. */
  calmEvent(event: PoolEvent): void {
    const isQuiet =
      event._tag === "BootStarted" ||
      event._tag === "BootProgress" ||
      event._tag === "RunnerReady" ||
      event._tag === "PoolClosing" ||
      // The machine may be so busy that a runner gets no turn for seconds.
      event._tag === "RunnerUnresponsive" ||
      event._tag === "RunnerResponsive" ||
      ((event._tag === "RunnerDraining" || event._tag === "RunnerGone") && event.why === "close")
    if (!isQuiet) this.ledger.violation(`in the calm pool: ${JSON.stringify(event)}`)
  }

  private bootFailed(runner: string, cause: BootFailure.BootFailure): void {
    const { signals } = this.of(runner)
    this.failedBoots.set(cause._tag, (this.failedBoots.get(cause._tag) ?? 0) + 1)
    // The end of a runner that was ready is judged by its `RunnerGone`: a function may have ended it.
    if (signals.size === 0 && cause._tag !== "EndedEarly")
      this.ledger.violation(`the boot of runner ${runner} failed for nothing: ${cause.message}`)
  }

  /** Describes what is wrong if no fault explains this end of the runner. */
  unexplained(runner: string, reason: RunnerExit.ExitReason): string | undefined {
    const { signals, why } = this.of(runner)
    const told = why !== undefined || signals.has("SIGTERM")
    const isExplained = ((): boolean => {
      switch (reason._tag) {
        case "Exited":
          // The function `leave` exits with 3.
          return reason.code === 3 || (reason.code === 0 && told)
        case "Killed": {
          if (reason.by === undefined) return reason.signal === "SIGHUP" || signals.has(reason.signal)
          if (reason.by.startsWith("stuck call")) return true
          if (reason.by.startsWith("silent for")) return signals.has("SIGSTOP")
          return told
        }
        case "Disconnected":
          // The cause may arrive later than the caller can wait. RunnerGone has it.
          return true
        default:
          return false
      }
    })()
    if (isExplained) return undefined
    return `${reason.message} (${reason._tag}); signals sent: ${[...signals].join(" ") || "none"}, told to go: ${why ?? "no"}`
  }

  /** Forgets runners of which no more events can arrive. */
  prune(living: ReadonlySet<string>): void {
    for (const runner of this.runners.keys()) if (!living.has(runner)) this.runners.delete(runner)
  }
}
