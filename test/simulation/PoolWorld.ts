/**
 * The world around a pool as its policy sees it: runners that boot, fail, die and answer, and callers that come and go.
 * The world keeps its own books from events and commands, and checks each command against the rules.
 */
import * as Policy from "../../src/pool/policy/Policy.ts"
import * as Ticket from "../../src/pool/policy/Ticket.ts"

/** A broken rule. */
export class Violation extends Error {}

export const expect = (condition: boolean, rule: string): void => {
  if (!condition) throw new Violation(rule)
}

/** A call, or a request for a lease. */
export interface Call extends Ticket.Ticket {
  readonly wish: boolean
  /** The position in the queue, as the world counts it. */
  turn: number
  /** `orphan`: the runner is lost, and the policy has not decided yet about the call. */
  stage: "new" | "waiting" | "running" | "orphan" | "over"
  on: Runner | undefined
  /** The slot of the call, in the books of the world. */
  has: BookedSlot | undefined
  /** The nested calls of this call that have not ended. */
  readonly open: Set<Call>
  /** Whether the call waits for a call of another pool. */
  isAbroad: boolean
  /** Whether the call was suspended and not resumed since. */
  waits: boolean
}

/** A slot that is used by one call, or also by calls that borrowed it. */
export interface BookedSlot {
  readonly calls: Set<Call>
}

export interface Runner {
  readonly index: number
  readonly bootedAt: number
  /** `told`: the runner drains, by command or by itself. `ended`: the runner is lost, or its boot failed. */
  phase: "booting" | "up" | "told" | "ended"
  responsive: boolean
  /** Whether the runner has completed a call. */
  isProven: boolean
  /** Why the runner was told to end. */
  why: Policy.DrainReason | undefined
  /** The suspect call that has the runner alone. */
  suspect: Call | undefined
  readonly running: Set<Call>
  readonly slots: Set<BookedSlot>
  /** Whether the runner has handed a call back. */
  isShut: boolean
  readonly leases: Set<number>
  calls: number
  readyAt: number
  /** The time since which the runner has neither call nor lease. */
  emptySince: number
  isAsked: boolean
  /** Whether the coming idle answer counts: the runner got no work since it was asked. */
  askCounts: boolean
  /** Whether the runner was asked while the pool might rest. Its yes then counts after that too. */
  askedInRest: boolean
  /** Whether the pool was resized since the boot, so that the runner may end for new or old reasons. */
  isResized: boolean
}

export class PoolWorld {
  now = 0
  options: Policy.Options
  readonly pool: Policy.PolicyState
  readonly runners = new Map<number, Runner>()
  readonly leases = new Map<number, Runner>()
  readonly calls = new Set<Call>()
  closed = false
  /** The earliest time of the next boot, as far as the world can tell. */
  pausedUntil = -Infinity
  /** The time of the last failed boot. */
  failedAt = -Infinity
  /** Whether a boot failed for a permanent cause, and none succeeded since. */
  permanent = false
  /** Whether runners end soon after they are ready. */
  looping = false
  /** The time of the last failed boot or early end. */
  lastFailure = -Infinity
  /** The start of the first of the boots that all failed, while somebody wanted a runner. */
  since: number | undefined = undefined
  lastTick = -Infinity
  /** The time since which nobody calls, waits or leases. Undefined while somebody does. */
  quietSince: number | undefined = 0
  /** The time when a suspect call last got a runner of its own. */
  isolatedAt = -Infinity
  /** The runners that took calls when the step began, by the pool's own account. */
  private ready: ReadonlySet<number> = new Set()
  /** The number of boots in the last step. */
  boots = 0
  private turns = 0

  constructor(options: Policy.Options, seed: number) {
    this.options = options
    this.pool = Policy.make(options, seed)
  }

  /** The calls at a stage, in the order of their turns. */
  in(stage: Call["stage"]): Array<Call> {
    return [...this.calls].filter((_) => _.stage === stage).sort((a, b) => a.turn - b.turn)
  }

  /** The waiting calls that may run anywhere. */
  roots(): Array<Call> {
    return this.in("waiting").filter((_) => _.lease < 0 && !_.wish && !_.nested && !_.isSuspect)
  }

  /** Whether a suspect call runs alone on a runner that it may end in the next seconds. */
  isSuspectTried(): boolean {
    const isAlone = [...this.runners.values()].some((_) => _.suspect !== undefined && _.phase !== "ended")
    return isAlone && this.now < this.isolatedAt + this.options.crashLoopTime
  }

  /** The waiting calls that may have ended their runners. */
  suspects(): Array<Call> {
    return this.in("waiting").filter((_) => _.isSuspect)
  }

  /** The next turn. A call that lost its runner queues behind the others. */
  nextTurn(): number {
    return this.turns++
  }

  /** The waiting nested calls. */
  nested(): Array<Call> {
    return this.in("waiting").filter((_) => _.nested)
  }

  /** The running calls that wait for nested calls. */
  suspended(): Array<Call> {
    return this.in("running").filter((_) => _.waits)
  }

  /** The waiting requests for a lease. */
  wishes(): Array<Call> {
    return this.in("waiting").filter((_) => _.wish)
  }

  makeCall(fields: {
    readonly lease?: number
    readonly cast?: boolean
    readonly wish?: boolean
    readonly nested?: boolean
    readonly caller?: Call | undefined
  }): Call {
    const turn = this.turns++
    const call: Call = {
      ...Ticket.make(fields),
      turn,
      wish: fields.wish ?? false,
      stage: "new",
      on: undefined,
      has: undefined,
      open: new Set(),
      isAbroad: false,
      waits: false
    }
    fields.caller?.open.add(call)
    this.calls.add(call)
    return call
  }

  /** Feeds one event to the policy, and books the commands. */
  step(event: Policy.Event): void {
    this.boots = 0
    const views = Policy.runners(this.pool)
    this.ready = new Set(views.filter((_) => _.phase === "ready").map((_) => _.runner))
    if (event._tag === "Tick") this.lastTick = this.now
    const commands = Policy.step(this.pool, event)
    for (const command of commands) this.carryOut(command, event)
    // At the end of a window: a runner that is one too many must not be missing in the same step.
    const isStopped = commands.some((_) => _._tag === "Drain" && (_.why === "consolidate" || _.why === "idle"))
    expect(!(event._tag === "Tick" && isStopped && this.boots > 0), "no runner is stopped that is booted again")
    for (const call of this.calls) {
      if (call.stage === "new") call.stage = "waiting"
      if (call.stage !== "over") continue
      this.calls.delete(call)
      ;(call.caller as Call | undefined)?.open.delete(call)
    }
  }

  /** Notes that a boot failed, or that a runner ended soon after it was ready. */
  noteFailure(bootedAt: number, transient: boolean, isEarly = false): void {
    const pause = Policy.snapshot(this.pool).backoffUntil
    if (pause === undefined || pause <= this.now) {
      Object.assign(this, { permanent: false, failedAt: this.now })
      // The first runners that end early are replaced at once.
      if (!isEarly) this.pausedUntil = this.now + this.options.backoff.base
    }
    this.permanent ||= !transient
    this.lastFailure = this.now
    this.since ??= bootedAt
  }

  noteHealed(): void {
    Object.assign(this, { permanent: false, pausedUntil: -Infinity, failedAt: Infinity, looping: false })
    this.since = undefined
  }

  /** Whether callers need not wait any longer, as far as the world knows. */
  isHopeless(): boolean {
    return this.since !== undefined && this.now - this.since >= this.options.bootPatience
  }

  /** Whether there has been no call for `minIdleTimeToLive`, so that the pool may be without runners. */
  mayRest(): boolean {
    const limit = Math.max(1, this.options.minIdleTimeToLive ?? Infinity)
    return this.quietSince !== undefined && this.now - this.quietSince >= limit
  }

  /** The slots of boots that are in progress or may start. */
  slotsToCome(): number {
    // The pool's own count, because boots of this step are not booked yet.
    const { backoffUntil, booting, runners } = Policy.snapshot(this.pool)
    if (this.closed) return 0
    const more = backoffUntil === undefined ? Math.max(0, this.options.max - runners) : 0
    return (booting + more) * Math.min(this.options.concurrency, this.options.maxCalls ?? Infinity)
  }

  /** Whether a runner may get a call without a lease, as far as the world knows. */
  takesAny(runner: Runner): boolean {
    const age = this.lastTick - runner.readyAt
    return (
      this.takesPinned(runner) &&
      runner.calls < (this.options.maxCalls ?? Infinity) &&
      age < (this.options.maxLifetime ?? Infinity)
    )
  }

  takesPinned(runner: Runner): boolean {
    const isOpen = runner.phase === "up" && runner.responsive && runner.suspect === undefined
    return isOpen && runner.slots.size < this.options.concurrency
  }

  /** Whether a slot may be lent: all its calls wait for nested calls, and its runner still serves those. */
  isLent(runner: Runner, slot: BookedSlot): boolean {
    const isThere = runner.phase === "up" || runner.phase === "told"
    return isThere && runner.responsive && !runner.isShut && [...slot.calls].every((_) => _.waits)
  }

  /** Whether another runner boots, or may boot. */
  mayGrow(): boolean {
    const { backoffUntil, booting } = Policy.snapshot(this.pool)
    return !this.closed && (booting > 0 || (this.runners.size < this.options.max && backoffUntil === undefined))
  }

  /** Whether the pool counts a runner among those that take calls. */
  isReady(runner: Runner): boolean {
    return Policy.runners(this.pool).some((_) => _.runner === runner.index && _.phase === "ready")
  }

  live(): number {
    const { booting, ready } = Policy.snapshot(this.pool)
    return booting + ready
  }

  spare(busy: number): number {
    if (busy === 0 || this.closed) return 0
    return this.options.spare < 1 ? Math.ceil(this.options.spare * busy - 1e-9) : this.options.spare
  }

  private runner(index: number): Runner {
    const runner = this.runners.get(index)
    if (runner === undefined) throw new Violation(`a command about runner ${index}, which does not exist`)
    return runner
  }

  private carryOut(command: Policy.Command, event: Policy.Event): void {
    switch (command._tag) {
      case "Boot":
        return this.booted(command.runner)
      case "Dispatch":
        return this.dispatched(command.ticket as Call, this.runner(command.runner))
      case "Reject":
        return this.rejected(command.ticket as Call, command.why, event)
      case "Drain":
        return this.drained(this.runner(command.runner), command.why, event)
      case "Hopeless":
        return expect(this.live() === 0 || this.isHopeless(), "hopeless only where no runner can be had")
      case "AskIdle":
        return this.asked(this.runner(command.runner))
      case "LeaseGranted":
        return this.granted(command.ticket as Call, command.lease, this.runner(command.runner))
    }
  }

  private booted(index: number): void {
    this.boots++
    expect(!this.runners.has(index), "an index is given out once")
    expect(!this.closed, "a closed pool boots nothing")
    expect(this.now >= this.pausedUntil, "no boot starts during a backoff")
    this.runners.set(index, {
      index,
      bootedAt: this.now,
      phase: "booting",
      responsive: true,
      isProven: false,
      why: undefined,
      suspect: undefined,
      running: new Set(),
      slots: new Set(),
      isShut: false,
      leases: new Set(),
      calls: 0,
      readyAt: 0,
      emptySince: 0,
      isAsked: false,
      askCounts: false,
      askedInRest: false,
      isResized: false
    })
    expect(this.runners.size <= this.options.max, "never over max")
  }

  private dispatched(call: Call, runner: Runner): void {
    expect(call.stage === "waiting" || call.stage === "new", `no dispatch of a call that is ${call.stage}`)
    expect(runner.responsive, "no dispatch to an unresponsive runner")
    if (call.slot !== undefined) return this.lent(call, runner)
    expect(runner.phase === "up", `no dispatch to a runner that is ${runner.phase}`)
    expect(runner.slots.size < this.options.concurrency, "never over concurrency")
    expect(runner.suspect === undefined, "nobody shares the runner of a suspect")
    if (call.isSuspect) return this.isolated(call, runner)
    if (call.nested) {
      const isLast = runner.leases.size > 0 && !this.mayGrow()
      expect(this.takesAny(runner) || isLast, "a runner that leaves gives its free slots only where no other can come")
      this.checkNestedTurn(call)
      return this.seat(call, runner, { calls: new Set() })
    }
    // A runner that ends keeps its free slots for the calls of its leases.
    const isOpen = this.takesAny(runner) && this.isReady(runner)
    expect(!isOpen || this.nested().length === 0, "nested calls are served before others")
    const ahead = this.in("waiting").filter((_) => !_.wish && !_.nested && !_.isSuspect && _.turn < call.turn)
    const rootAhead = ahead.some((_) => _.lease < 0)
    if (call.lease < 0) {
      expect(this.takesAny(runner), "a recycled runner gets no new calls")
      expect(!rootAhead, "first in, first out")
      if (call.stage === "new") this.checkPlace(runner)
      const isRoomy = runner.slots.size + runner.leases.size < this.options.concurrency
      expect(!isRoomy || this.wishes().length === 0, "a wish for a lease is granted before calls take the room for it")
    } else {
      expect(this.leases.get(call.lease) === runner, "a pinned call runs on its lease's runner only")
      // Checked after the step: a runner that is retired by this call took any call before it.
      if (this.takesAny(runner) && this.isReady(runner)) {
        expect(!rootAhead, "a pinned call does not overtake an earlier call")
      }
    }
    const pinnedAhead = ahead.some((_) => _.lease >= 0 && this.leases.get(_.lease) === runner)
    expect(!pinnedAhead, "no call overtakes an earlier one that is pinned to the runner")
    runner.calls++
    this.seat(call, runner, { calls: new Set() })
  }

  /** Checks that a suspect call gets an empty runner, or a slot if no runner is empty and none can boot. */
  private isolated(call: Call, runner: Runner): void {
    expect(this.takesAny(runner), "a recycled runner gets no suspects")
    expect(!this.suspects().some((_) => _.turn < call.turn), "suspects are served in order")
    if (runner.slots.size + runner.leases.size === 0) {
      runner.suspect = call
      this.isolatedAt = this.now
    } else {
      const { backoffUntil, booting } = Policy.snapshot(this.pool)
      const isPaused = backoffUntil !== undefined
      const isFull = this.closed || isPaused || this.runners.size >= this.options.max
      expect(isFull && booting === 0, "a suspect shares only where no other runner can come")
      expect(!this.isSuspectTried(), "a suspect waits for the runner of another one for crashLoopTime")
    }
    runner.calls++
    this.seat(call, runner, { calls: new Set() })
  }

  /** Checks that a nested call uses the slot of a suspended call. */
  private lent(call: Call, runner: Runner): void {
    expect(call.nested, "only nested calls borrow slots")
    const slot = [...runner.slots].find((_) => [...(_.calls ?? [])].some((other) => other.slot === call.slot))
    if (slot === undefined) throw new Violation("a slot is borrowed from a call of the same runner")
    expect(this.isLent(runner, slot), "only the slot of a suspended call is lent")
    const isOwn = call.caller !== undefined && slot.calls.has(call.caller as Call)
    if (!isOwn) {
      this.checkNestedTurn(call)
      const leaves = runner.phase === "told" || !this.ready.has(runner.index)
      expect(
        !leaves || !this.mayGrow() || this.boots > 0,
        "a runner that leaves gets strangers only where no other can come"
      )
    }
    this.seat(call, runner, slot)
  }

  private checkNestedTurn(call: Call): void {
    expect(!this.nested().some((_) => _.turn < call.turn), "nested calls are served in order")
  }

  private seat(call: Call, runner: Runner, slot: BookedSlot): void {
    call.stage = "running"
    call.on = runner
    call.has = slot
    slot.calls.add(call)
    runner.slots.add(slot)
    runner.running.add(call)
    runner.askCounts = false
  }

  /**
   * Checks that a new call goes to the least busy or the fullest runner, and to a runner with promised slots only if
   * there is no other.
   */
  private checkPlace(runner: Runner): void {
    const { concurrency, strategy } = this.options
    const loadOf = (_: Runner) => Math.min(concurrency, _.slots.size + _.leases.size)
    const rankOf = (_: Runner) => (strategy === "pack" && loadOf(_) < concurrency ? -loadOf(_) : loadOf(_))
    const others = [...this.runners.values()].filter((_) => this.takesAny(_) && this.ready.has(_.index))
    expect(
      others.every((_) => rankOf(_) >= rankOf(runner)),
      `${strategy} chooses among runners`
    )
  }

  private rejected(call: Call, why: Policy.RejectReason, event: Policy.Event): void {
    expect(call.stage === "waiting" || call.stage === "new", `no rejection of a call that is ${call.stage}`)
    if (why === "QueueFull") {
      const isNew = event._tag === "Submit" || event._tag === "LeaseOpen"
      expect(isNew && event.ticket === call, "only the newcomer finds the queue full")
      const count = call.nested ? this.nested().length : this.in("waiting").length + this.suspended().length
      expect(count >= this.options.queueCapacity, "QueueFull when it is full")
      const anywhere = call.nested ? this.nested() : this.in("waiting").filter((_) => _.lease < 0)
      expect(call.lease >= 0 || anywhere.length >= this.slotsToCome(), "a call that a boot would serve is accepted")
    } else if (why === "PoolClosed") {
      expect(this.closed, "PoolClosed when closed")
      if (call.nested) expect(!this.mayServe(), "nested calls are served while a slot is there")
      const isServed = call.lease < 0 ? this.live() > 0 : this.leases.get(call.lease)?.phase === "up"
      expect(!(call.cast && call.stage === "waiting" && isServed), "casts are served while somebody is there")
    } else if (why === "LeaseClosed") expect(!this.leases.has(call.lease), "LeaseClosed after the lease")
    else if (why === "RunnerLost") {
      expect(this.leases.get(call.lease)?.phase !== "up", "RunnerLost for calls pinned to a runner that is gone")
    } else {
      const isPermanent = this.permanent && event._tag === "BootFailed" && this.live() === 0
      expect(isPermanent || this.isHopeless(), "BootFailed for a permanent cause, or after bootPatience")
      expect(call.stage === "waiting", "a cause is told to those who waited for it")
      expect(Policy.snapshot(this.pool).ready === 0, "BootFailed only where nobody serves")
      if (call.nested) expect(!this.mayServe(), "nested calls are served while a slot is there")
    }
    call.stage = "over"
  }

  /** Whether a runner exists that can serve nested calls, now or later. */
  mayServe(): boolean {
    const isLeft = (_: Runner) => (_.phase === "up" || _.phase === "told") && _.slots.size > 0 && !_.isShut
    return this.live() > 0 || [...this.runners.values()].some(isLeft)
  }

  private drained(runner: Runner, why: Policy.DrainReason, event: Policy.Event): void {
    expect(runner.phase === "up" || runner.phase === "booting", "a runner is told to go once")
    const { asksIdle, idleTimeToLive, maxCalls, maxLifetime, min, minIdleTimeToLive } = this.options
    const ttl = Math.max(1, idleTimeToLive ?? Infinity)
    if (why !== "draining" && why !== "stuck") {
      expect(runner.running.size === 0, `${why} waits for the calls of the runner`)
      expect(runner.leases.size === 0 || this.closed, `${why} waits for the leases of the runner`)
    }
    if ((why === "idle" || why === "consolidate") && asksIdle && !this.closed) {
      expect(event._tag === "IdleAnswer" && event.idle && runner.askCounts, "a runner is asked first, and says yes")
    }
    if (why === "idle") {
      const limit =
        this.mayRest() || runner.askedInRest ? Math.min(ttl, Math.max(1, minIdleTimeToLive ?? Infinity)) : ttl
      expect(this.now - runner.emptySince >= limit, "idle after idleTimeToLive")
      expect(this.live() >= min || this.mayRest(), "idling leaves min alone")
      const { free, used } = Policy.snapshot(this.pool)
      expect(free >= this.spare(used), "idling leaves spare slots alone")
    }
    if (why === "consolidate") expect(this.now - runner.readyAt >= ttl, "consolidation judges a whole window")
    if (why === "maxCalls") {
      expect(runner.calls >= (maxCalls ?? Infinity) || runner.isResized, "maxCalls after so many calls")
    }
    if (why === "maxLifetime") expect(this.now - runner.readyAt >= (maxLifetime ?? Infinity), "maxLifetime in time")
    if (why === "close") expect(this.closed, "close when closed")
    if (why === "resize") expect(runner.isResized, "resize after a resize")
    runner.phase = "told"
    runner.why = why
  }

  private asked(runner: Runner): void {
    expect(this.options.asksIdle && runner.phase === "up", "only a runner that is up is asked")
    expect(runner.running.size === 0 && runner.leases.size === 0, "only a runner without work is asked")
    expect(!runner.isAsked, "one ask at a time")
    runner.isAsked = true
    runner.askCounts = true
    runner.askedInRest = this.mayRest()
  }

  private granted(call: Call, lease: number, runner: Runner): void {
    expect(this.takesAny(runner), "a lease is for a runner that takes calls")
    expect(!this.in("waiting").some((_) => _.wish && _.turn < call.turn), "leases are granted in order")
    expect(!this.leases.has(lease), "a lease is new")
    this.leases.set(lease, runner)
    runner.leases.add(lease)
    runner.askCounts = false
    call.stage = "over"
  }
}
