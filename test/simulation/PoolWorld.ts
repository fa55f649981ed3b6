/**
 * The world around a pool as its policy can tell it: runners that boot, fail, die and answer, callers that come and
 * go. It keeps books of its own from events and commands, and checks each command against the rules.
 */
import * as PoolState from "../../src/pool/PoolState.ts"
import * as Ticket from "../../src/pool/Ticket.ts"

/** A rule was broken. */
export class Violation extends Error {}

export const expect = (condition: boolean, rule: string): void => {
  if (!condition) throw new Violation(rule)
}

/** A call, or a wish for a lease. */
export interface Call extends Ticket.Ticket {
  readonly wish: boolean
  /** Its turn, counted here. */
  readonly turn: number
  /** `orphan`: its runner is lost, and nobody has said yet what becomes of it. */
  place: "new" | "waiting" | "running" | "orphan" | "over"
  on: Runner | undefined
}

export interface Runner {
  readonly index: number
  readonly bootedAt: number
  /** `told`: it drains, by command or by its own word. `ended`: lost, or its boot failed. */
  phase: "booting" | "up" | "told" | "ended"
  responsive: boolean
  readonly running: Set<Call>
  readonly leases: Set<number>
  calls: number
  readyAt: number
  /** Since when it has neither call nor lease. */
  emptySince: number
  isAsked: boolean
  /** The answer to come is about now: it got no work since it was asked. */
  askCounts: boolean
  /** The pool was resized since its boot: it may go for the new reasons, or for the old ones. */
  isResized: boolean
}

export class PoolWorld {
  now = 0
  options: PoolState.Options
  readonly pool: PoolState.PoolState
  readonly runners = new Map<number, Runner>()
  readonly leases = new Map<number, Runner>()
  readonly calls = new Set<Call>()
  closed = false
  /** No boot may start before, as far as the world can tell. */
  pausedUntil = -Infinity
  /** When a boot failed last. */
  failedAt = -Infinity
  /** A boot failed for a cause that does not heal, and none succeeded since. */
  permanent = false
  lastTick = -Infinity
  /** Runners that took calls when the step began, by the pool's own account. */
  private ready: ReadonlySet<number> = new Set()
  /** Boots of the last step. */
  boots = 0
  private turns = 0

  constructor(options: PoolState.Options, seed: number) {
    this.options = options
    this.pool = PoolState.make(options, seed)
  }

  /** Calls in one place, in the order of their turns. */
  in(place: Call["place"]): Array<Call> {
    return [...this.calls].filter((_) => _.place === place).sort((a, b) => a.turn - b.turn)
  }

  /** Waiting calls that may run anywhere. */
  roots(): Array<Call> {
    return this.in("waiting").filter((_) => _.lease < 0 && !_.wish)
  }

  /** Waiting wishes for a lease. */
  wishes(): Array<Call> {
    return this.in("waiting").filter((_) => _.wish)
  }

  makeCall(fields: { readonly lease?: number; readonly cast?: boolean; readonly wish?: boolean }): Call {
    const turn = this.turns++
    const call: Call = { ...Ticket.make(fields), turn, wish: fields.wish ?? false, place: "new", on: undefined }
    this.calls.add(call)
    return call
  }

  /** Feeds one event in and books what comes out. */
  step(event: PoolState.Event): void {
    this.boots = 0
    const views = PoolState.runners(this.pool)
    this.ready = new Set(views.filter((_) => _.phase === "ready").map((_) => _.runner))
    if (event._tag === "Tick") this.lastTick = this.now
    for (const command of PoolState.step(this.pool, event)) this.carryOut(command, event)
    for (const call of this.calls) {
      if (call.place === "new") call.place = "waiting"
      if (call.place === "over") this.calls.delete(call)
    }
  }

  /** Whether a runner may get a call that is bound to no lease, for all the world knows. */
  takesAny(runner: Runner): boolean {
    const age = this.lastTick - runner.readyAt
    return (
      this.takesPinned(runner) &&
      runner.calls < (this.options.maxCalls ?? Infinity) &&
      age < (this.options.maxLifetime ?? Infinity)
    )
  }

  takesPinned(runner: Runner): boolean {
    return runner.phase === "up" && runner.responsive && runner.running.size < this.options.concurrency
  }

  /** Whether the pool itself counts a runner among those that take calls. */
  isReady(runner: Runner): boolean {
    return PoolState.runners(this.pool).some((_) => _.runner === runner.index && _.phase === "ready")
  }

  live(): number {
    const { booting, ready } = PoolState.snapshot(this.pool)
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

  private carryOut(command: PoolState.Command, event: PoolState.Event): void {
    switch (command._tag) {
      case "Boot":
        return this.booted(command.runner)
      case "Dispatch":
        return this.dispatched(command.ticket as Call, this.runner(command.runner))
      case "Reject":
        return this.rejected(command.ticket as Call, command.why, event)
      case "Drain":
        return this.drained(this.runner(command.runner), command.why, event)
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
      running: new Set(),
      leases: new Set(),
      calls: 0,
      readyAt: 0,
      emptySince: 0,
      isAsked: false,
      askCounts: false,
      isResized: false
    })
    expect(this.runners.size <= this.options.max, "never over max")
  }

  private dispatched(call: Call, runner: Runner): void {
    expect(call.place === "waiting" || call.place === "new", `no dispatch of a call that is ${call.place}`)
    expect(runner.phase === "up", `no dispatch to a runner that is ${runner.phase}`)
    expect(runner.responsive, "no dispatch to an unresponsive runner")
    expect(runner.running.size < this.options.concurrency, "never over concurrency")
    const ahead = this.in("waiting").filter((_) => !_.wish && _.turn < call.turn)
    const rootAhead = ahead.some((_) => _.lease < 0)
    if (call.lease < 0) {
      expect(this.takesAny(runner), "a recycled runner gets no new calls")
      expect(!rootAhead, "first in, first out")
      if (call.place === "new") this.checkPlace(runner)
      const isRoomy = runner.running.size + runner.leases.size < this.options.concurrency
      expect(!isRoomy || this.wishes().length === 0, "a wish for a lease is granted before calls take the room for it")
    } else {
      expect(this.leases.get(call.lease) === runner, "a pinned call runs on its lease's runner only")
      // asked after the step: a runner that this very call retired took any call before it
      if (this.takesAny(runner) && this.isReady(runner)) {
        expect(!rootAhead, "a pinned call does not overtake an earlier call")
      }
    }
    const pinnedAhead = ahead.some((_) => _.lease >= 0 && this.leases.get(_.lease) === runner)
    expect(!pinnedAhead, "no call overtakes an earlier one that is pinned to the runner")
    call.place = "running"
    call.on = runner
    runner.running.add(call)
    runner.calls++
    runner.askCounts = false
  }

  /** A newcomer goes to the least busy runner, or to the fullest; to one whose slots are promised only for want of others. */
  private checkPlace(runner: Runner): void {
    const { concurrency, strategy } = this.options
    const loadOf = (_: Runner) => Math.min(concurrency, _.running.size + _.leases.size)
    const rankOf = (_: Runner) => (strategy === "pack" && loadOf(_) < concurrency ? -loadOf(_) : loadOf(_))
    const others = [...this.runners.values()].filter((_) => this.takesAny(_) && this.ready.has(_.index))
    expect(
      others.every((_) => rankOf(_) >= rankOf(runner)),
      `${strategy} chooses among runners`
    )
  }

  private rejected(call: Call, why: PoolState.RejectReason, event: PoolState.Event): void {
    expect(call.place === "waiting" || call.place === "new", `no rejection of a call that is ${call.place}`)
    if (why === "QueueFull") {
      const isNew = event._tag === "Submit" || event._tag === "LeaseOpen"
      expect(isNew && event.ticket === call, "only the newcomer finds the queue full")
      expect(this.in("waiting").length >= this.options.queueCapacity, "QueueFull when it is full")
    } else if (why === "PoolClosed") {
      expect(this.closed, "PoolClosed when closed")
      const isServed = call.lease < 0 ? this.live() > 0 : this.leases.get(call.lease)?.phase === "up"
      expect(!(call.cast && call.place === "waiting" && isServed), "casts are served while somebody is there")
    } else if (why === "LeaseClosed") expect(!this.leases.has(call.lease), "LeaseClosed after the lease")
    else if (why === "RunnerLost") {
      expect(this.leases.get(call.lease)?.phase !== "up", "RunnerLost for calls pinned to a runner that is gone")
    } else {
      expect(this.permanent, "BootFailed for a permanent cause")
      expect(this.live() === 0, "BootFailed only where nobody can serve")
    }
    call.place = "over"
  }

  private drained(runner: Runner, why: PoolState.DrainReason, event: PoolState.Event): void {
    expect(runner.phase === "up" || runner.phase === "booting", "a runner is told to go once")
    const { asksIdle, idleTimeToLive, maxCalls, maxLifetime, min } = this.options
    const ttl = Math.max(1, idleTimeToLive ?? Infinity)
    if (why !== "draining" && why !== "stuck") {
      expect(runner.running.size === 0, `${why} waits for the calls of the runner`)
      expect(runner.leases.size === 0 || this.closed, `${why} waits for the leases of the runner`)
    }
    if ((why === "idle" || why === "consolidate") && asksIdle && !this.closed) {
      expect(event._tag === "IdleAnswer" && event.idle && runner.askCounts, "a runner is asked first, and says yes")
    }
    if (why === "idle") {
      expect(this.now - runner.emptySince >= ttl, "idle after idleTimeToLive")
      expect(this.live() >= min, "idling leaves min alone")
      const { free, used } = PoolState.snapshot(this.pool)
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
  }

  private asked(runner: Runner): void {
    expect(this.options.asksIdle && runner.phase === "up", "only a runner that is up is asked")
    expect(runner.running.size === 0 && runner.leases.size === 0, "only a runner without work is asked")
    expect(!runner.isAsked, "one ask at a time")
    runner.isAsked = true
    runner.askCounts = true
  }

  private granted(call: Call, lease: number, runner: Runner): void {
    expect(this.takesAny(runner), "a lease is for a runner that takes calls")
    expect(!this.in("waiting").some((_) => _.wish && _.turn < call.turn), "leases are granted in order")
    expect(!this.leases.has(lease), "a lease is new")
    this.leases.set(lease, runner)
    runner.leases.add(lease)
    runner.askCounts = false
    call.place = "over"
  }
}
