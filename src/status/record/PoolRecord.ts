/**
 * Records a pool while `FlameStatus` needs it: counters by function, failures, boots, recent calls, history, log lines.
 *
 * Every part is bounded. A call costs an addition in the table of functions. At most 20 calls per second that succeed fast
 * are kept with their times.
 */
import type * as Clock from "effect/Clock"
import * as Exit from "effect/Exit"
import { describeError, tagOf } from "../../error/ErrorText.ts"
import { FlameError } from "../../error/FlameError.ts"
import { printableLine } from "../../error/PeerText.ts"
import type { Call, CallObserver } from "../../pool/engine/Call.ts"
import type { PoolWatch } from "../../pool/engine/PoolWatch.ts"
import type { OwnPool } from "../../pool/runtime/Pools.ts"
import { outcomeOf, timesOf } from "../../pool/runtime/CallExplain.ts"
import type { PoolEvent } from "../../pool/status/PoolEvent.ts"
import type { LogLine } from "../../wire/LogLine.ts"
import { BootList } from "./BootList.ts"
import { statusEvent, type StatusEvent } from "./EventText.ts"
import { FailureList } from "./FailureList.ts"
import { type Counters, FunctionTable } from "./FunctionTable.ts"
import { lineOf, LineRing, type RunnerLine } from "./LineRing.ts"
import { PoolHistory } from "./PoolHistory.ts"
import { limits, type PoolDocument, rounded } from "./StatusDocument.ts"

type RecentCall = PoolDocument["calls"][number]

/**
 * The largest number of calls per second whose runner is asked for the run time, and of calls per second that are kept.
 */
const timedPerSecond = 20
const keptPerSecond = 50
/** Milliseconds from which a call is kept although its runner was not asked for the run time. */
const slow = 1_000

/** The observer of a call that the record has asked to be timed. */
const timed: CallObserver = { end() {} }

/** Receives events and log lines as they happen. */
export interface Listener {
  readonly event: (event: StatusEvent) => void
  readonly line: (line: RunnerLine) => void
}

/** Runs a part of the record inside of the pool: its failure must not become the pool's. */
const guarded = (record: () => void): void => {
  try {
    record()
  } catch {
    // The record misses an entry.
  }
}

export class PoolRecord implements PoolWatch {
  readonly functions: FunctionTable
  readonly failures = new FailureList()
  readonly boots = new BootList()
  readonly history = new PoolHistory()
  readonly lines = new LineRing()
  /** Recent calls, oldest first. */
  private readonly calls: Array<RecentCall> = []
  private readonly pool: OwnPool
  private readonly clock: Clock.Clock
  private readonly listener: Listener
  private timedLeft = timedPerSecond
  private keptLeft = keptPerSecond
  /** The function of the last call, which is mostly that of the next as well, and its counters. */
  private lastName: string | undefined
  private last: Counters | undefined

  constructor(pool: OwnPool, clock: Clock.Clock, listener: Listener) {
    this.pool = pool
    this.functions = new FunctionTable(() => pool.engine.now())
    this.clock = clock
    this.listener = listener
    // A pool that is being built has no status yet, and no runner.
    if (pool.engine.runners.size > 0) for (const runner of pool.status.runners) this.boots.seed(runner, this.wall)
  }

  get wall(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  submitted(call: Call): void {
    if (this.timedLeft === 0 || call.trace !== undefined) return
    this.timedLeft--
    call.trace = timed
  }

  end(call: Call, exit: Exit.Exit<unknown, unknown>): void {
    const counters = this.countersOf(call.fn.name)
    counters.calls++
    // Most calls of a busy pool end here.
    if (counters.left === 0 && call.trace === undefined && Exit.isSuccess(exit)) return
    const now = this.pool.engine.now()
    const outcome = outcomeOf(exit)
    const total = now - call.submittedAt
    counters.ended(outcome, total, now)
    if (outcome === "failed") this.failed(call, exit)
    if (call.trace === undefined && outcome === "succeeded" && total < slow) return
    if (this.keptLeft === 0) return
    this.keptLeft--
    const { boot, carried, queued, ran, runner } = timesOf(this.pool.engine, call, exit)
    const name = printableLine(call.fn.name, limits.message)
    this.calls.push({
      at: this.wall,
      function: name,
      runner,
      outcome,
      total: rounded(total),
      queued: rounded(queued),
      boot: boot.map(([step, millis]) => [step, rounded(millis)] as const),
      carried: carried === undefined ? undefined : rounded(carried),
      ran: ran === undefined ? undefined : rounded(ran)
    })
    if (this.calls.length > limits.calls) this.calls.shift()
  }

  private failed(call: Call, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) return
    const reason = exit.cause.reasons.find(({ _tag }) => _tag !== "Interrupt")
    const error = reason?._tag === "Fail" ? reason.error : reason?._tag === "Die" ? reason.defect : undefined
    const flame = error instanceof FlameError ? error.reason : undefined
    this.failures.add(
      {
        kind: call.cast ? "cast" : "call",
        tag: flame?._tag ?? tagOf(error),
        message: () => flame?.message ?? (error instanceof Error ? error.message : describeError(error)),
        function: call.fn.name,
        runner: call.ranOn < 0 ? undefined : this.pool.engine.runners.get(call.ranOn)?.id
      },
      this.wall
    )
  }

  event(event: PoolEvent): void {
    guarded(() => {
      const at = this.wall
      this.boots.event(event, at)
      this.fault(event, at)
      this.listener.event(statusEvent(event, at))
    })
  }

  private fault(event: PoolEvent, at: number): void {
    switch (event._tag) {
      case "BootFailed": {
        const { cause, runner } = event
        return this.failures.add({ kind: "boot", tag: cause._tag, message: () => cause.message, runner }, at)
      }
      case "RunnerGone":
      case "LateReason": {
        if (event._tag === "RunnerGone" && event.why !== undefined) return
        const { reason } = event.exit
        const { runner } = event
        return this.failures.add({ kind: "lost", tag: reason._tag, message: () => reason.message, runner }, at)
      }
      case "OutageBegan":
        return this.failures.add({ kind: "outage", tag: "Outage", message: () => event.detail }, at)
      case "RunnerStuck": {
        const message = () => `${event.function} did not stop within \`cancelGrace\` of its cancellation`
        return this.failures.add({ kind: "lost", tag: "Stuck", message, runner: event.runner }, at)
      }
      default:
    }
  }

  line(runner: string, line: LogLine): void {
    guarded(() => {
      const read = lineOf(this.pool.engine.pool, runner, line)
      this.lines.add(read)
      this.listener.line(read)
    })
  }

  private countersOf(name: string): Counters {
    if (name !== this.lastName || this.last === undefined) {
      this.lastName = name
      this.last = this.functions.of(name)
    }
    return this.last
  }

  /** Adds the figures of one tick, and begins the quotas per second anew. */
  tick(): void {
    this.timedLeft = timedPerSecond
    this.keptLeft = keptPerSecond
    this.functions.tick()
    this.history.tick(this.pool.status)
  }

  /** The recent calls, latest first. */
  get recent(): ReadonlyArray<RecentCall> {
    return this.calls.toReversed()
  }
}
