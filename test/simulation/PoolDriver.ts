/** Turns the moves of a schedule into events that are possible in the world at that moment, or into nothing. */
import * as Policy from "../../src/pool/policy/Policy.ts"
import { check, checkTick, LoadHistory } from "./PoolRules.ts"
import { type Call, expect, PoolWorld, type Runner } from "./PoolWorld.ts"
import * as PoolMove from "./PoolMove.ts"
import { pick } from "./Random.ts"

export class PoolDriver {
  readonly world: PoolWorld
  steps = 0
  /** The events as text, if they are recorded. */
  readonly log: Array<string> | undefined
  private readonly history = new LoadHistory()

  constructor(options: Policy.Options, seed: number, keepLog: boolean) {
    this.world = new PoolWorld(options, seed)
    this.log = keepLog ? [`options ${JSON.stringify(options)}`] : undefined
    this.tick()
  }

  move({ how, kind, whom }: PoolMove.Move): void {
    const { now } = this.world
    const runnerOf = (phase: Runner["phase"], also: (_: Runner) => boolean = () => true) =>
      pick(
        this.runners().filter((_) => _.phase === phase && also(_)),
        whom
      )
    switch (kind) {
      case "submit":
      case "cast":
        return this.step({ _tag: "Submit", now, ticket: this.world.makeCall({ cast: kind === "cast" }) })
      case "pinned": {
        const lent = [...this.world.leases].filter(([, runner]) => runner.phase === "up" || how < 0.1)
        const lease = pick(lent, whom)?.[0]
        if (lease === undefined) return
        return this.step({ _tag: "Submit", now, ticket: this.world.makeCall({ lease, cast: how > 0.9 }) })
      }
      case "leaseOpen":
        return this.step({ _tag: "LeaseOpen", now, ticket: this.world.makeCall({ wish: true }) })
      case "leaseClose":
        return this.closeLease(pick([...this.world.leases.keys()], whom))
      case "withdraw":
        return this.withdraw(pick(this.world.in("waiting"), whom))
      case "release":
        return this.release(pick(how < 0.05 ? this.world.in("running") : this.goingOn(), whom))
      case "nest":
        return this.nest(pick(how < 0.3 ? this.world.in("running") : this.goingOn(), whom))
      case "nestAbroad":
        return this.step({ _tag: "Submit", now, ticket: this.world.makeCall({ nested: true }) })
      case "abroad":
        return this.goAbroad(pick(this.goingOn(), whom))
      case "home":
        return this.comeHome(
          pick(
            this.world.suspended().filter((_) => _.isAbroad),
            whom
          )
        )
      case "ready":
        return this.ready(runnerOf("booting"))
      case "failTransient":
      case "failPermanent":
        return this.fail(runnerOf("booting"), kind === "failTransient")
      case "unresponsive":
      case "responsive":
        return this.respond(
          runnerOf("up", (_) => _.responsive === (kind === "unresponsive")),
          kind === "responsive"
        )
      case "announce":
        return this.leave(runnerOf("up"), "RunnerDraining")
      case "stuck":
        return this.leave(
          runnerOf("up", (_) => _.running.size > 0),
          "Stuck"
        )
      case "lose":
        return this.lose(how < 0.7 ? runnerOf("up") : runnerOf("told"), "Lost")
      case "vanish":
        return this.lose(runnerOf("up"), "Gone")
      case "orphan":
        return this.adopt(pick(this.world.in("orphan"), whom), how < 0.7, how < 0.5, how < 0.3)
      case "handBack":
        return this.handBack(pick(this.world.in("running"), whom))
      case "gone":
        return this.bury(runnerOf("ended") ?? runnerOf("told", (_) => _.running.size === 0))
      case "answer":
        return this.answer(
          pick(
            this.runners().filter((_) => _.isAsked),
            whom
          ),
          how < 0.6
        )
      case "wait":
        return this.waitUntil(now + Math.round(how * 400))
      case "wake":
        return this.waitUntil(Policy.wakeAt(this.world.pool) ?? now)
      case "late":
        this.world.now += Math.round(how * 3000)
        return
      case "resize":
        return this.resize(whom, how)
      case "close":
        return this.close()
    }
  }

  /** Lets runners and callers finish their work until nobody waits, then waits until only `min` runners are left. */
  settle(): void {
    const isServed = () => this.world.in("waiting").length + this.world.in("orphan").length === 0
    this.roundsUntil(isServed, "everybody who waits is served in the end")
    const { idleTimeToLive, min, minIdleTimeToLive } = this.world.options
    if (idleTimeToLive === undefined && minIdleTimeToLive === undefined) return
    const left = minIdleTimeToLive === undefined ? min : 0
    const isSmall = () => this.world.live() <= left && this.world.in("running").length === 0
    this.roundsUntil(isSmall, "a pool without work shrinks to min, and to nothing with minIdleTimeToLive")
  }

  /** Closes the pool and lets running calls end. Checks that nothing is left. */
  finish(): void {
    this.close()
    const { leases: lent, runners: all } = this.world
    const isEmpty = () => all.size + lent.size + this.world.in("orphan").length === 0
    this.roundsUntil(isEmpty, "no runner is leaked")
    const { leases, runners, used, waiting } = Policy.snapshot(this.world.pool)
    expect(runners + used + waiting + leases === 0, "nothing is left of a closed pool")
    expect(Policy.wakeAt(this.world.pool) === undefined, "a closed pool has no timer")
  }

  private roundsUntil(condition: () => boolean, rule: string): void {
    // If a runner serves one call, each call takes a boot, the call and an end.
    const rounds = 300 + 3 * this.world.in("waiting").length
    for (let round = 0; round < rounds; round++) {
      if (condition()) return
      this.round()
    }
    expect(condition(), rule)
  }

  private round(): void {
    for (const runner of this.runners()) {
      if (runner.phase === "booting") this.ready(runner)
      if ((runner.phase === "up" || runner.phase === "told") && !runner.responsive) this.respond(runner, true)
      if (runner.isAsked) this.answer(runner, true)
    }
    for (const call of this.world.in("orphan")) this.adopt(call, true, true, call.turn % 2 === 0)
    for (const call of this.world.suspended()) if (call.isAbroad) this.comeHome(call)
    // A runner refuses nested calls only when it stops its own calls.
    for (const call of this.world.suspended()) if (call.on?.isShut === true) this.release(call)
    for (const call of this.goingOn()) this.release(call)
    for (const lease of this.world.leases.keys()) this.closeLease(lease)
    for (const runner of this.runners()) {
      if (runner.phase === "ended" || (runner.phase === "told" && runner.running.size === 0)) this.bury(runner)
    }
    this.waitUntil(Policy.wakeAt(this.world.pool) ?? this.world.now)
  }

  private runners(): Array<Runner> {
    return [...this.world.runners.values()]
  }

  /** The running calls that wait for nothing. */
  private goingOn(): Array<Call> {
    return this.world.in("running").filter((_) => !_.waits)
  }

  private nest(caller: Call | undefined): void {
    if (caller === undefined) return
    this.suspend(caller)
    this.step({ _tag: "Submit", now: this.world.now, ticket: this.world.makeCall({ nested: true, caller }) })
  }

  private goAbroad(call: Call | undefined): void {
    if (call === undefined) return
    call.isAbroad = true
    this.suspend(call)
  }

  private comeHome(call: Call | undefined): void {
    if (call === undefined) return
    call.isAbroad = false
    this.resumeAll()
  }

  private suspend(call: Call): void {
    call.waits = true
    this.step({ _tag: "Suspend", now: this.world.now, ticket: call })
  }

  /** Resumes calls that wait for nothing any more. */
  private resumeAll(): void {
    for (const call of this.world.suspended()) if (call.open.size === 0 && !call.isAbroad) this.resume(call)
  }

  private resume(call: Call): void {
    call.waits = false
    this.step({ _tag: "Resume", now: this.world.now, ticket: call })
  }

  private step(event: Policy.Event): void {
    this.apply(event)
    if (event._tag !== "Suspend" && event._tag !== "Resume") this.resumeAll()
  }

  private apply(event: Policy.Event): void {
    this.steps++
    this.log?.push(PoolMove.describe(event))
    const before = Policy.runners(this.world.pool)
    this.world.step(event)
    this.noteQuiet(event)
    check(this.world)
    if (event._tag === "Tick") checkTick(this.world, before, this.history)
    if (event._tag === "Submit" && event.ticket.state === "waiting") {
      const waiting = event.ticket.nested ? this.world.nested().length : this.world.in("waiting").length
      const anywhere = this.world.in("waiting").filter((_) => _.lease < 0 && (!event.ticket.nested || _.nested)).length
      const isCovered = event.ticket.lease < 0 && anywhere <= this.world.slotsToCome()
      expect(isCovered || waiting <= this.world.options.queueCapacity, "a newcomer does not wait beyond queueCapacity")
    }
    if (event._tag === "BootFailed") this.checkHope()
    this.review()
    this.history.note(this.world)
  }

  /** Notes since when there has been no call. New options restart that time. */
  private noteQuiet(event: Policy.Event): void {
    const { world } = this
    const isBusy = world.in("waiting").length + world.in("running").length + world.leases.size > 0
    if (isBusy) world.quietSince = undefined
    else if (world.quietSince === undefined || event._tag === "Resize") world.quietSince = world.now
  }

  /** Ends the wait of all other callers after a failed boot, if no runner can boot. */
  private checkHope(): void {
    const { booting, ready } = Policy.snapshot(this.world.pool)
    if (booting + ready > 0 || !(this.world.permanent || this.world.isHopeless())) return
    const left = this.world.roots().length + this.world.suspects().length + this.world.wishes().length
    expect(left === 0 || this.world.closed, "a failed boot is told to all who wait, where no other runner can come")
  }

  /** Ends an outage for callers when a runner serves, or no caller wants one. */
  private review(): void {
    const { ready, resting } = Policy.snapshot(this.world.pool)
    const keepsMin = !this.world.closed && !resting && this.world.options.min > 0
    const isWanted = this.world.in("waiting").length > 0 || keepsMin
    const hasLasted = this.world.now - this.world.lastFailure >= this.world.options.crashLoopTime
    if ((ready > 0 && (!this.world.looping || hasLasted)) || !isWanted) this.world.since = undefined
  }

  private tick(): void {
    this.step({ _tag: "Tick", now: this.world.now })
  }

  private waitUntil(time: number): void {
    for (let wake = Policy.wakeAt(this.world.pool); wake !== undefined && wake <= time;) {
      this.world.now = Math.max(this.world.now, wake)
      this.tick()
      wake = Policy.wakeAt(this.world.pool)
    }
    this.world.now = Math.max(this.world.now, time)
  }

  private take(call: Call): void {
    const runner = call.on
    const caller = call.caller as Call | undefined
    // A caller that waited for this call only resumes before its slot is offered to others.
    if (caller?.stage === "running" && caller.open.size === 1 && caller.open.delete(call) && !caller.isAbroad) {
      this.resume(caller)
    }
    call.on = undefined
    this.unseat(call, runner)
    runner?.running.delete(call)
    if (runner?.suspect === call) runner.suspect = undefined
    if (runner !== undefined && runner.running.size + runner.leases.size === 0) runner.emptySince = this.world.now
  }

  /** Removes a call that has ended, or is requeued, from the calls that its caller waits for. */
  private disown(call: Call): void {
    const open = [...call.open]
    call.open.clear()
    Object.assign(call, { isAbroad: false, waits: false })
    for (const nested of open) if (nested.stage === "waiting") this.withdraw(nested)
  }

  private unseat(call: Call, runner: Runner | undefined): void {
    const slot = call.has
    call.has = undefined
    if (slot === undefined) return
    slot.calls.delete(call)
    if (slot.calls.size === 0) runner?.slots.delete(slot)
  }

  private release(call: Call | undefined): void {
    if (call === undefined) return
    const runner = call.on
    this.take(call)
    call.stage = "over"
    const completed = call.turn % 7 > 0
    if (completed && runner !== undefined && !runner.isProven && runner.phase !== "ended") {
      runner.isProven = true
      if (this.world.looping) this.world.noteHealed()
    }
    this.step({ _tag: "Released", now: this.world.now, ticket: call, completed })
    this.disown(call)
  }

  private withdraw(call: Call | undefined): void {
    if (call === undefined) return
    call.stage = "over"
    this.step({ _tag: "Withdraw", now: this.world.now, ticket: call })
    expect(call.state === "idle", "a withdrawn ticket is out at once")
  }

  private closeLease(lease: number | undefined): void {
    const runner = lease === undefined ? undefined : this.world.leases.get(lease)
    if (lease === undefined || runner === undefined) return
    this.world.leases.delete(lease)
    runner.leases.delete(lease)
    if (runner.running.size + runner.leases.size === 0) runner.emptySince = this.world.now
    this.step({ _tag: "LeaseClose", now: this.world.now, lease })
  }

  private ready(runner: Runner | undefined): void {
    if (runner === undefined) return
    if (!this.world.looping) this.world.noteHealed()
    Object.assign(runner, { phase: "up", readyAt: this.world.now, emptySince: this.world.now })
    this.step({ _tag: "Ready", now: this.world.now, runner: runner.index })
  }

  private fail(runner: Runner | undefined, transient: boolean): void {
    if (runner === undefined) return
    const { now } = this.world
    this.review()
    this.world.noteFailure(runner.bootedAt, transient)
    runner.phase = "ended"
    this.step({ _tag: "BootFailed", now, runner: runner.index, transient, cause: "broken" })
  }

  private respond(runner: Runner | undefined, responsive: boolean): void {
    if (runner === undefined) return
    runner.responsive = responsive
    this.step({ _tag: responsive ? "Responsive" : "Unresponsive", now: this.world.now, runner: runner.index })
  }

  private leave(runner: Runner | undefined, _tag: "RunnerDraining" | "Stuck"): void {
    if (runner === undefined) return
    this.step({ _tag, now: this.world.now, runner: runner.index })
    expect(runner.phase === "told", "a runner that drains is told that it may go")
  }

  private lose(runner: Runner | undefined, _tag: "Lost" | "Gone"): void {
    if (runner === undefined) return
    const isEarly = this.isEarly(runner)
    if (isEarly) {
      this.review()
      this.world.noteFailure(runner.bootedAt, true, true)
      this.world.looping = true
    }
    for (const call of runner.running) {
      call.stage = "orphan"
      call.on = undefined
    }
    const lost = [...runner.running]
    runner.running.clear()
    runner.slots.clear()
    runner.phase = "ended"
    if (_tag === "Gone") this.world.runners.delete(runner.index)
    for (const call of lost) {
      call.has = undefined
      call.waits = false
      call.isAbroad = false
    }
    this.step({ _tag, now: this.world.now, runner: runner.index })
    for (const call of lost) this.disown(call)
    if (isEarly) this.step({ _tag: "EndedEarly", now: this.world.now, runner: runner.index, cause: "it crashed" })
  }

  /** Whether the end of a runner counts as a failed boot. */
  private isEarly(runner: Runner): boolean {
    const { closed, now, options } = this.world
    if (closed || runner.isProven || runner.suspect !== undefined) return false
    if (runner.phase !== "up" && runner.why !== "draining") return false
    return now - runner.readyAt < options.crashLoopTime
  }

  private bury(runner: Runner | undefined): void {
    if (runner === undefined) return
    if (runner.phase === "told" && this.isEarly(runner)) {
      this.review()
      this.world.noteFailure(runner.bootedAt, true, true)
      this.world.looping = true
    }
    runner.phase = "ended"
    this.world.runners.delete(runner.index)
    this.step({ _tag: "Gone", now: this.world.now, runner: runner.index })
  }

  private adopt(call: Call | undefined, again: boolean, losesTurn: boolean, isSuspect: boolean): void {
    if (call === undefined) return
    call.stage = again ? "new" : "over"
    const { now } = this.world
    if (!again) return this.step({ _tag: "Released", now, ticket: call, completed: false })
    if (!call.nested && call.lease < 0) {
      Object.assign(call, { isSuspect })
      if (losesTurn || isSuspect) call.turn = this.world.nextTurn()
    }
    this.step({ _tag: "Requeue", now, ticket: call, keepsTurn: !losesTurn })
  }

  private handBack(call: Call | undefined): void {
    if (call === undefined) return
    const runner = call.on
    call.on = undefined
    this.unseat(call, runner)
    runner?.running.delete(call)
    if (runner?.suspect === call) runner.suspect = undefined
    if (call.isSuspect) call.turn = this.world.nextTurn()
    if (runner !== undefined && call.nested) runner.isShut = true
    Object.assign(call, { stage: "new", isAbroad: false })
    call.waits = false
    const open = [...call.open]
    call.open.clear()
    this.step({ _tag: "Requeue", now: this.world.now, ticket: call, keepsTurn: true })
    for (const nested of open) if (nested.stage === "waiting") this.withdraw(nested)
    expect(runner?.phase === "told", "a runner that hands a call back gets no more")
  }

  private answer(runner: Runner | undefined, idle: boolean): void {
    if (runner === undefined) return
    runner.isAsked = false
    this.step({ _tag: "IdleAnswer", now: this.world.now, runner: runner.index, idle })
  }

  private resize(first: number, second: number): void {
    const max = 1 + Math.floor(first * 6)
    const options = { ...this.world.options, max, min: Math.floor(second * (max + 1)) }
    options.concurrency = 1 + Math.floor(((first * 7) % 1) * 3)
    options.spare = second < 0.5 ? 0 : Math.floor(first * 3)
    if (first < 0.2) options.maxCalls = 1 + Math.floor(second * 5)
    // A closed pool keeps its options.
    if (!this.world.closed) this.world.options = options
    for (const runner of this.runners()) runner.isResized = true
    this.step({ _tag: "Resize", now: this.world.now, options })
  }

  private close(): void {
    this.world.closed = true
    this.step({ _tag: "Close", now: this.world.now })
  }
}
