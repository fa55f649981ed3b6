/**
 * The session of a runner with its parent, on the runner's side: serves the calls of one link until the runner is told to
 * go or the link ends. `FlameRunner.ts` starts it. `pool/engine/RunnerHandle.ts` is the parent's side.
 *
 * `ServedCall.ts` runs one call: its function has a fiber and a Scope of its own, so that a fault ends that call alone.
 * `SessionPhase.ts` has the phases of the session; every change of the phase is in `move`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { type BootFailure, NeverConnected } from "../error/BootFailure.ts"
import * as CallSpan from "../function/CallSpan.ts"
import * as Refusal from "../call/Refusal.ts"
import * as Served from "../call/Served.ts"
import { CurrentCall } from "../function/Current.ts"
import { NestedCalls } from "./NestedCalls.ts"
import * as SessionPhase from "./SessionPhase.ts"
import * as RelayPool from "./RelayPool.ts"
import { helloOf, type RunnerServerOptions } from "./RunnerServerOptions.ts"
import { type CallSession, ServedCall } from "./ServedCall.ts"
import { isFinal, json, Kind, kindName } from "../wire/Frame.ts"
import { decodeFailure, decodeWelcome, type Welcome } from "../wire/Handshake.ts"
import { Link } from "../wire/Link.ts"
import { decodeHead, type RequestHead } from "../wire/Request.ts"

const none = new Uint8Array(0)

/** The limits of a runner that was not let in. */
const unwelcome = { maxPayload: 0, cancelGrace: 0 }

/** Serves until the session is over. Every call has ended by then, or has had `cancelGrace` to end. */
export class RunnerServer implements CallSession {
  /** Completes when the last call has ended and the link is closed. Fails when the parent refuses this runner. */
  readonly done: Deferred.Deferred<void, BootFailure> = Deferred.makeUnsafe()
  private readonly calls = new Map<number, ServedCall>()
  private readonly functions: ReadonlyArray<Served.Served>
  readonly link: Link
  /** The calls that functions make. */
  readonly nested: NestedCalls
  /** The context of functions: the services of the options, and the pools of the parent. */
  private readonly context: Context.Context<never>
  private readonly options: RunnerServerOptions
  private readonly isTraced: boolean
  /** Milliseconds of a monotonic clock, or of the clock of a test. */
  readonly now: () => number
  private readonly timers: Array<Fiber.Fiber<unknown>> = []
  private welcome: Welcome | undefined
  private unwelcomed: Fiber.Fiber<unknown> | undefined
  private phase: SessionPhase.SessionPhase = "open"
  /** Whether a function runs its first steps in this turn: its call is in `calls` only after them. */
  private isBeginning = false

  constructor(options: RunnerServerOptions) {
    this.options = options
    this.functions = options.functions.map(Served.of)
    const clock = Context.get(options.context, Clock.Clock)
    this.now =
      clock === Clock.Clock.defaultValue()
        ? () => performance.now()
        : () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    // A context that layers have built is a chain of maps, which each call would extend or copy.
    this.context = Context.makeUnsafe(new Map(RelayPool.provide(options.context, options.functions).mapUnsafe))
    this.isTraced = CallSpan.isTraced(options.context)
    this.link = new Link(options.transport, {
      message: this.message,
      accept: (kind, id, total) => {
        if (isFinal(kind)) return this.nested.accept(kind, id)
        if (kind !== Kind.Request || this.calls.has(id)) return `a large ${kindName(kind)} for call ${id}`
        const limit = this.welcome?.maxPayload ?? 0
        return total <= limit ? undefined : `a ${kindName(kind)} of ${total} bytes, the limit is ${limit}`
      },
      // Items that cross the final frame of their call are dropped.
      items: (kind, id, bytes) => {
        if (kind === Kind.ItemsResponse && this.nested.items(id, bytes)) return
        const call = this.calls.get(id)
        if (kind !== Kind.ItemsRequest || (call !== undefined && call.open === undefined)) return this.misplaced(kind)
        call?.open?.channel.onItems(bytes)
      },
      grant: (kind, id, more) => {
        if (kind === Kind.GrantRequest && this.nested.grant(id, more)) return
        if (kind !== Kind.GrantResponse) return this.misplaced(kind)
        this.calls.get(id)?.open?.channel.onGrant(more)
      },
      closed: ({ error, violation }) => this.closed(violation, error)
    })
    this.nested = new NestedCalls(this.link, () => this.welcome ?? unwelcome)
  }

  private misplaced(kind: number): void {
    this.link.violate(`a ${kindName(kind)} frame, which a parent must not send`)
  }

  /** The context of finalizers and encodings. */
  get around(): Context.Context<never> {
    return this.options.context
  }

  get maxResult(): number {
    return this.welcome?.maxResult ?? 0
  }

  /** Whether the session has interrupted its calls. */
  get isStopping(): boolean {
    return this.phase === "stopping" || this.phase === "closed" || this.phase === "over" || this.link.closed
  }

  /** Takes an event of the session. Returns whether it changes the phase. */
  private move(event: SessionPhase.SessionEvent): boolean {
    const phase = SessionPhase.after(this.phase, event)
    if (phase === undefined) return false
    this.phase = phase
    return true
  }

  /** Introduces this runner to its parent, which has `patience` milliseconds to let it in. */
  start(patience?: number): void {
    this.link.open()
    this.link.send(Kind.Hello, 0, none, json(helloOf(this.options)))
    if (patience !== undefined) this.unwelcomed = this.after(patience, () => this.giveUp(patience))
    Served.prepare(this.functions, this.options.transport, () => this.welcome !== undefined || this.link.closed)
  }

  /** Ends a runner whose parent does not answer its Hello. */
  private giveUp(patience: number): void {
    const hint = "its parent did not answer its Hello"
    Deferred.doneUnsafe(this.done, Exit.fail(new NeverConnected({ phase: "connected", hint, after: patience })))
    this.link.destroy()
  }

  /**
   * Tells the parent that this runner takes no new calls, lets its calls end within the budget, and leaves.
   *
   * `budget` is in milliseconds. Default the parent's `drainTimeout`. At its end the calls that are left are interrupted,
   * and their finalizers get `cancelGrace`. If there are several budgets, the first one that ends applies.
   */
  drain(budget: number = this.welcome?.drainTimeout ?? 0): void {
    if (this.move("drain")) {
      this.link.control(Kind.Draining, 0)
      // Only a placed service has `drain`: it is told to end by itself, because its owner does not know of the drain.
      for (const { open } of this.calls.values()) open?.drain?.()
    }
    this.leaveIfIdle()
    // Set also if no call is left. Results may still wait to be sent, and a parent that does not read must not keep the
    // runner alive.
    this.after(budget, () => {
      if (this.move("budgetOver")) this.interruptAll()
      this.after(this.welcome?.cancelGrace ?? 0, () => this.cut())
    })
  }

  /** Interrupts every call, waits for their finalizers at most `cancelGrace`, and ends the session. */
  get abort(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.drain(0)
      return Effect.exit(Deferred.await(this.done))
    })
  }

  private readonly message = (kind: number, id: number, body: Buffer, large: Uint8Array | undefined): void => {
    if (isFinal(kind)) return this.nested.final(kind, id, body, large)
    switch (kind) {
      case Kind.Request:
        return this.request(id, body, large)
      case Kind.Cancel:
        return this.cancel(id)
      case Kind.Ping:
        return this.link.control(Kind.Pong, 0)
      case Kind.Drain:
        return this.drain(body.length >= 4 ? body.readUInt32BE(0) : 0)
      case Kind.Welcome: {
        this.welcome = decodeWelcome(body)
        if (this.welcome === undefined) this.link.violate("a Welcome that is not understood here")
        else {
          this.options.logs?.open(this.link, this.welcome.logLevel)
          this.options.metrics?.open(this.link, this.welcome.metricsInterval)
        }
        this.unwelcomed?.interruptUnsafe()
        return
      }
      case Kind.Refuse: {
        Deferred.doneUnsafe(this.done, Exit.fail(decodeFailure(body)))
        return this.link.endSession()
      }
      default:
        this.misplaced(kind)
    }
  }

  private request(id: number, body: Buffer, large: Uint8Array | undefined): void {
    const head = decodeHead(body)
    const served = head === undefined ? undefined : this.functions[head.functionIndex]
    if (head === undefined || served === undefined || this.calls.has(id) || this.welcome === undefined) {
      return this.link.violate(`a Request that is not understood here`)
    }
    if (this.phase !== "open" && !this.isNeeded(head))
      return this.link.send(Kind.Refused, id, none, Refusal.encodeDraining())
    const { link, now } = this
    const { maxPayload, maxResult } = this.welcome
    const open = served.open?.({ link, side: "runner", id, limit: maxPayload }, maxResult)
    const run = Served.run(served, body, head.end, large)
    const effect = open === undefined ? run : open.run(run)
    const current = new CurrentCall(this.options.info, served.fn.name, head.budget, now, this.nested, id)
    const call = new ServedCall(this, id, served, current, head.isTimed ? now() : undefined, open)
    this.isBeginning = true
    const exit = call.begin(this.context, head, this.isTraced, effect)
    this.isBeginning = false
    // A call that has ended and has nothing to close cannot be cancelled, so it need not be found by id.
    if (exit === undefined || !call.isPlain) this.calls.set(id, call)
    if (exit !== undefined) call.ended(exit)
  }

  /** Whether a call of this runner may wait for the request. A draining runner serves it: otherwise both would wait. */
  private isNeeded(head: RequestHead): boolean {
    return head.isNested && this.calls.size > 0 && this.phase === "draining"
  }

  /** Removes a call whose final frame is being sent. */
  readonly over = (id: number): void => {
    this.calls.delete(id)
    // the end of a call moves only a session that is about to end
    if (this.phase === "open" || this.calls.size > 0) return
    if (this.link.closed) this.finish()
    else this.leaveIfIdle()
  }

  private cancel(id: number): void {
    const call = this.calls.get(id)
    if (call !== undefined) {
      call.isCancelled = true
      return call.stop()
    }
    // Ends a payload that has not arrived whole, or a result that is still being sent in parts. Otherwise the final
    // frame has left and crosses the Cancel.
    if (this.link.forget(id, "request") || this.link.abandon(id, "response")) this.link.control(Kind.Interrupted, id)
  }

  private interruptAll(): void {
    for (const call of this.calls.values()) call.stop()
  }

  /** Says goodbye once everything is written. Every call of this runner has its answer then. */
  private leaveIfIdle(): void {
    if (this.calls.size > 0 || this.isBeginning || !this.move("idle")) return
    this.link.whenSent(() => {
      const { context, leaving } = this.options
      if (leaving === undefined) this.sayGoodbye()
      else Effect.runForkWith(context)(leaving).addObserver(() => this.sayGoodbye())
    })
  }

  private sayGoodbye(): void {
    if (this.phase !== "leaving") return
    this.options.logs?.close()
    this.link.control(Kind.Bye, 0)
    this.link.endSession()
  }

  /**
   * Drops calls that have not ended and results that are not written. Sends no goodbye, which would say that every call
   * has its answer.
   */
  private cut(): void {
    if (!this.move("graceOver")) return
    this.options.logs?.close()
    this.link.endSession()
    this.finish()
  }

  /** Interrupts the calls of a session that is over. Their finalizers have `cancelGrace`. */
  private closed(violation: string | undefined, error: Error | undefined): void {
    // The connection to the parent could not be made, which `LateTransport` reports as the end of the session.
    if (error instanceof NeverConnected) Deferred.doneUnsafe(this.done, Exit.fail(error))
    if (violation !== undefined) {
      Effect.runForkWith(this.options.context)(
        Effect.logError(`the connection to the parent was ended: it sent ${violation}`)
      )
    }
    const isInGrace = this.move("linkClosed")
    this.interruptAll()
    this.nested.closed()
    // Most calls end as they are interrupted.
    if (this.calls.size === 0 || !isInGrace) return this.finish()
    this.after(this.welcome?.cancelGrace ?? 0, () => {
      this.move("graceOver")
      this.finish()
    })
  }

  private finish(): void {
    this.options.metrics?.close()
    for (const timer of this.timers) timer.interruptUnsafe()
    Deferred.doneUnsafe(this.done, Exit.void)
  }

  private after(millis: number, f: () => void): Fiber.Fiber<unknown> {
    const timer = Effect.runForkWith(this.options.context)(Effect.delay(Effect.sync(f), millis))
    this.timers.push(timer)
    return timer
  }
}
