/**
 * Runs a pool: passes each event (a call, an end of a runner, a timer) to the pure policy (`policy/Policy.ts`), and
 * carries out the commands that come back.
 *
 * The engine is synchronous and runs on whichever fiber calls it, so that a call to a ready runner starts no fiber of its
 * own. Boots and ends of runners take time: each runner has a fiber for them in `life/RunnerLife.ts`.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { BootFailure } from "../../error/BootFailure.ts"
import { FlameError, type Reason } from "../../error/FlameError.ts"
import * as Unhandled from "../../error/Unhandled.ts"
import { isDetached } from "../../schema/OwnBytes.ts"
import { Kind } from "../../wire/Frame.ts"
import { Call, type CallOwner } from "./Call.ts"
import * as CallReasons from "./CallReasons.ts"
import type { EngineParts, EngineRunner } from "./EngineParts.ts"
import type * as LeaseTicket from "./LeaseTicket.ts"
import type { Settings } from "../option/PoolSettings.ts"
import * as Policy from "../policy/Policy.ts"
import { Pings } from "./Pings.ts"
import type { PoolWatch } from "./PoolWatch.ts"
import { PoolTimer } from "./PoolTimer.ts"
import { StoppingCalls } from "./StoppingCalls.ts"
import { UnansweredCalls } from "./UnansweredCalls.ts"
import { type WhyWaiting, whyWaiting } from "./WhyWaiting.ts"

export class PoolEngine implements CallOwner {
  readonly state: Policy.PolicyState
  readonly runners = new Map<number, EngineRunner>()
  /** Layouts of the functions called so far. A booting runner is checked against them. */
  readonly fingerprints = new Map<string, string>()
  /** The same functions, whose schemas a refusal names. */
  readonly declared = new Map<string, object>()
  settings: Settings
  /** Set while an observer watches the pool. */
  watch: PoolWatch | undefined = undefined
  /**
   * A caller's context without anything that crosses with a call: no tracer, no lease, no annotations, no log level.
   */
  plainContext: Context.Context<never> | undefined
  private readonly parts: EngineParts
  readonly timer: PoolTimer
  private readonly backlog: Array<Policy.Event> = []
  private isStepping = false
  /** Answers of the current step. They run users' code, which must not see a state that is ahead of the sent frames. */
  private answers: Array<() => void> = []
  private readonly pings: Pings
  private readonly stopping: StoppingCalls
  readonly unanswered: UnansweredCalls

  constructor(parts: EngineParts, clock: Clock.Clock, settings: Settings, options: Policy.Options, seed: number) {
    this.parts = parts
    this.settings = settings
    this.state = Policy.make(options, seed)
    this.timer = new PoolTimer(clock, parts.context, {
      wakeAt: () => Policy.wakeAt(this.state),
      wake: (now) => this.step({ _tag: "Tick", now })
    })
    this.unanswered = new UnansweredCalls(this, parts, this.timer)
    this.stopping = new StoppingCalls(this, parts, this.timer)
    this.pings = new Pings(
      this.timer,
      this.runners,
      () => this.settings.silenceLimit,
      () => {
        // Releases the context of a former caller.
        this.plainContext = undefined
      }
    )
  }

  /** The pool's own time in milliseconds. A change of the wall clock does not move it. */
  now(): number {
    return this.timer.now()
  }

  /** The pool's id. */
  get pool(): string {
    return this.parts.pool
  }

  /** Feeds an event into the policy. An event that arrives while commands are carried out waits for its turn. */
  step(event: Policy.Event): void {
    if (this.isStepping) {
      this.backlog.push(event)
      return
    }
    this.isStepping = true
    try {
      for (let next: Policy.Event | undefined = event; next !== undefined; next = this.backlog.shift()) {
        this.stepOnce(next)
      }
    } finally {
      this.isStepping = false
    }
    this.timer.rearm(Policy.wakeAt(this.state))
    if (this.answers.length === 0) return
    const answers = this.answers
    this.answers = []
    for (const answer of answers) Unhandled.confine(answer)
  }

  private stepOnce(event: Policy.Event): void {
    const { now } = event
    for (const command of Policy.step(this.state, event)) {
      try {
        this.carryOut(command, now)
      } catch (error) {
        // The step has decided the other commands too, so only the call or runner of this command may fail.
        this.notCarriedOut(command, now, error)
      }
    }
  }

  /** Starts a call. */
  submit(call: Call): void {
    const { codec, fn } = call
    this.parts.metrics.submitted(call.cast)
    this.watch?.submitted(call)
    // The layout that a runner claims for a nested call is not remembered: the function may not exist.
    if (codec !== undefined && !this.fingerprints.has(fn.name)) {
      this.fingerprints.set(fn.name, codec.layout)
      this.declared.set(fn.name, fn)
    }
    if (call.expiry !== undefined) this.timer.schedule(call, call.expiry)
    this.step({ _tag: "Submit", now: call.submittedAt, ticket: call })
  }

  /** Stops the function of an interrupted caller, and waits for its finalizers for at most `cancelGrace`. */
  interrupt(call: Call): Effect.Effect<void> {
    return this.stop(call, Exit.interrupt())
  }

  /** Stops a call like `interrupt`, but counts the call as succeeded, because its caller needs no more. */
  finish(call: Call): Effect.Effect<void> {
    return this.stop(call, Exit.void)
  }

  private stop(call: Call, exit: Exit.Exit<void>): Effect.Effect<void> {
    if (call.phase === "over") return Effect.void
    if (call.phase === "stopping") return this.stopping.until(call)
    const now = this.now()
    this.timer.cancel(call)
    call.observe(exit)
    if (Exit.isFailure(exit)) this.parts.metrics.interrupted++
    else if (call.ranOn >= 0) this.parts.metrics.finished(call, now, true)
    else this.parts.metrics.succeeded++
    if (call.phase === "lost" || call.state !== "running") {
      call.phase = "over"
      this.unanswered.lost.delete(call)
      this.step({ _tag: "Withdraw", now, ticket: call })
      return Effect.void
    }
    call.phase = "stopping"
    this.stopping.begin(call, now)
    return this.stopping.until(call)
  }

  expired(call: Call, now: number): void {
    if (call.phase === "stopping") return this.stopping.expired(call)
    const isRunning = call.phase === "lost" || call.state === "running"
    const runner = this.unanswered.lost.runnerOf(call) ?? this.runners.get(call.runner)?.id
    // Before the call is withdrawn, because a boot that only this call needs is given up then.
    const why: WhyWaiting = isRunning ? { phase: "running", runner: runner ?? "?" } : this.whyWaiting
    const reason = CallReasons.timedOut(this.pool, call, why, now)
    this.parts.metrics.failed(call.cast)
    if (call.phase === "open" && isRunning) {
      call.fail(reason, "stopping")
      return this.stopping.begin(call, now)
    }
    this.unanswered.lost.delete(call)
    this.step({ _tag: "Withdraw", now, ticket: call })
    call.fail(reason)
  }

  /** Why waiting calls have no runner now. */
  get whyWaiting(): WhyWaiting {
    return whyWaiting(this.state, this.runners)
  }

  /**
   * Fails a call whose payload was detached while it was being sent. Its runner has a part of the payload, and never
   * runs the call.
   */
  detached(call: Call): void {
    if (call.phase !== "open") return
    this.timer.cancel(call)
    this.parts.metrics.failed(call.cast)
    call.fail(CallReasons.detached(call), "stopping")
    this.stopping.begin(call, this.now())
  }

  final(call: Call, kind: number, body: Buffer, large: Uint8Array | undefined): void {
    const now = this.now()
    if (call.heapIndex >= 0) this.timer.cancel(call)
    if (call.calls !== undefined) Unhandled.confine(() => call.calls?.end())
    const runner = this.runners.get(call.runner)
    const id = runner?.id ?? "?"
    if (call.phase !== "open") {
      // No caller waits for the result, so only the slot matters.
      this.release(call, now, true)
      call.end()
      if (runner?.isStuck === true) this.stopping.killIfOnlyStuck(runner)
      return
    }
    if (kind === Kind.Success || kind === Kind.Failure || kind === Kind.Defect) {
      this.parts.metrics.finished(call, now, kind === Kind.Success)
      if (call.leaving !== undefined) Unhandled.confine(call.leaving)
      this.release(call, now, true)
      call.settle(call.decode(kind, body, large, id), "over", kind !== Kind.Success)
    } else if (kind === Kind.Refused) this.unanswered.refused(call, now, body, id)
    else this.unanswered.cut(call, now, id, runner?.leavesFor)
    if (runner?.isStuck === true) this.stopping.killIfOnlyStuck(runner)
  }

  /** Gives the slot of a call back. */
  release(call: Call, now: number, completed: boolean): void {
    this.step({ _tag: "Released", now, ticket: call, completed })
  }

  private carryOut(command: Policy.Command, now: number): void {
    switch (command._tag) {
      case "Dispatch":
        return this.dispatch(command.ticket as Call, command.runner, now)
      case "Reject":
        return this.reject(command)
      case "Boot":
        this.runners.set(command.runner, this.parts.boot(command.runner))
        return
      case "Drain": {
        const runner = this.runners.get(command.runner)
        if (runner === undefined) return
        runner.why = command.why
        return runner.leave(command.why, this.settings.drainTimeout)
      }
      case "AskIdle":
        return this.runners.get(command.runner)?.askIdle()
      case "LeaseGranted":
        this.answers.push(() => (command.ticket as LeaseTicket.LeaseTicket).granted(command.lease, command.runner))
        return
      case "Hopeless":
        return this.parts.hopeless(command.cause as BootFailure, command.attempts)
    }
  }

  private notCarriedOut(command: Policy.Command, now: number, error: unknown): void {
    if (command._tag !== "Dispatch") return Unhandled.report(error)
    const call = command.ticket as Call
    this.release(call, now, false)
    this.answer(call, Exit.die(error))
  }

  private dispatch(call: Call, index: number, now: number): void {
    const runner = this.runners.get(index)
    const handle = runner?.handle
    if (call.phase !== "open") {
      // The caller has given the call up since the step. Nothing of the call is sent, and no caller waits for it to
      // stop.
      this.timer.cancel(call)
      this.release(call, now, false)
      return call.end()
    }
    if (runner === undefined || handle === undefined) throw new Error("dispatched to a runner that is not ready")
    const functionIndex = handle.indexOf(call.fn, call.codec !== undefined)
    if (typeof functionIndex !== "number") return this.misfit(call, now, runner, functionIndex)
    const { payload } = call
    if (payload.length === 0 && isDetached(payload)) {
      this.release(call, now, false)
      return this.answer(call, failed(CallReasons.detached(call)))
    }
    call.dispatchedAt = now
    call.ranOn = index
    if (call.ranFor !== undefined) call.ranFor = undefined
    const budget = call.expiry === undefined ? undefined : call.expiry - now
    handle.request(call, functionIndex, budget, call.terms.span, call.terms.extras, payload, call.nested)
    call.sent++
    if (!this.pings.isRunning) this.pings.start()
  }

  /** Fails a call whose runner does not have the function, or has it with another layout. */
  private misfit(call: Call, now: number, runner: EngineRunner, failure: BootFailure | undefined): void {
    this.release(call, now, false)
    const { build, pool } = this.parts
    this.answer(call, failed(CallReasons.misfit(pool, call, runner.id, failure, build, runner.handle?.hello.build)))
  }

  private reject(command: CallReasons.Rejection): void {
    const { ticket } = command
    const { waiting } = Policy.snapshot(this.state)
    const reason = CallReasons.rejected(this.pool, command, waiting, this.settings.queueCapacity)
    const exit = failed(reason)
    if (ticket instanceof Call) return this.answer(ticket, exit)
    this.answers.push(() => (ticket as LeaseTicket.LeaseTicket).rejected(exit))
  }

  /** Fails a call once the current step is over, unless its caller has gone by then. */
  private answer(call: Call, exit: Exit.Exit<never, FlameError>): void {
    this.timer.cancel(call)
    this.answers.push(() => {
      if (call.phase !== "open") return
      this.parts.metrics.failed(call.cast)
      call.settle(exit, "over")
    })
  }
}

const failed = (reason: Reason): Exit.Exit<never, FlameError> => Exit.fail(new FlameError({ reason }))
