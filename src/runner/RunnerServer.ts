/**
 * What runs inside a runner: serves the calls of one parent over one link, until it is told to go or the link ends.
 *
 * A function runs in a fiber of its own with its own Scope. Whatever it does is confined to its call.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { type BootFailure, NeverConnected } from "../error/BootFailure.ts"
import * as CallSpan from "../function/CallSpan.ts"
import type { AnyImplemented } from "../function/FlameFunction.ts"
import * as Refusal from "../call/Refusal.ts"
import * as Served from "../call/Served.ts"
import type { LogForward } from "./LogForward.ts"
import { CurrentCall, type RunnerInfo } from "../function/Current.ts"
import { NestedCalls } from "./NestedCalls.ts"
import * as RelayPool from "./RelayPool.ts"
import { type CallHost, ServedCall } from "./ServedCall.ts"
import { isFinal, json, Kind, kindName, protocol } from "../wire/Frame.ts"
import { decodeFailure, decodeWelcome, type Hello, type HelloSteps, type Welcome } from "../wire/Handshake.ts"
import { Link } from "../wire/Link.ts"
import { decodeHead, type RequestHead } from "../wire/Request.ts"
import type { Transport } from "../wire/Transport.ts"

export interface RunnerServerOptions {
  readonly transport: Transport
  readonly info: RunnerInfo
  readonly life: string
  readonly build: string
  readonly functions: ReadonlyArray<AnyImplemented>
  /** What the functions need, and what is provided around them. */
  readonly context: Context.Context<never>
  /** How this process came here, asked when it says Hello. */
  readonly steps?: () => HelloSteps
  /** Where what is logged in that context waits for the parent. */
  readonly logs?: LogForward
}

const none = new Uint8Array(0)

/** Serves until the session is over; every call has ended by then, or had `cancelGrace` to end. */
export class RunnerServer implements CallHost {
  /** Completes when the last call has ended and the link is closed; fails when the parent refuses this runner. */
  readonly done: Deferred.Deferred<void, BootFailure> = Deferred.makeUnsafe()
  private readonly calls = new Map<number, ServedCall>()
  private readonly functions: ReadonlyArray<Served.Served>
  readonly link: Link
  /** What functions call themselves. */
  readonly nested: NestedCalls
  /** What functions run with: what was provided, and pools that are their parent's. */
  private readonly context: Context.Context<never>
  private readonly options: RunnerServerOptions
  private readonly isTraced: boolean
  /** Milliseconds of a time that no change of the wall clock moves; a test's own where it has one. */
  readonly now: () => number
  private readonly timers: Array<Fiber.Fiber<unknown>> = []
  private welcome: Welcome | undefined
  private unwelcomed: Fiber.Fiber<unknown> | undefined
  private isDraining = false
  private isLeaving = false
  /** Whether a function runs its first steps right now, and is not in `calls` yet. */
  private isInside = false
  /** Whether calls were told to end: nothing is begun for them any more. */
  private isEnding = false
  /** Whether calls have had `cancelGrace` already: there is one, whatever ends the session after it. */
  private isGraceOver = false

  constructor(options: RunnerServerOptions) {
    this.options = options
    this.functions = options.functions.map(Served.of)
    const clock = Context.get(options.context, Clock.Clock)
    this.now =
      clock === Clock.Clock.defaultValue()
        ? () => performance.now()
        : () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    // one that layers have built is a chain; what is added for each call would be put on top of it, or copy all of it
    this.context = Context.makeUnsafe(new Map(RelayPool.provide(options.context, options.functions).mapUnsafe))
    this.isTraced = CallSpan.isTraced(options.context)
    this.link = new Link(options.transport, {
      message: (kind, id, body, large) => this.message(kind, id, body, large),
      accept: (kind, id, total) => {
        if (isFinal(kind)) return this.nested.accept(kind, id)
        if (kind !== Kind.Request || this.calls.has(id)) return `a large ${kindName(kind)} for call ${id}`
        const limit = this.welcome?.maxPayload ?? 0
        return total <= limit ? undefined : `a ${kindName(kind)} of ${total} bytes, the limit is ${limit}`
      },
      // what crosses the final frame of its call is for nobody any more
      items: (kind, id, bytes) => {
        const call = this.calls.get(id)
        if (kind !== Kind.ItemsRequest || (call !== undefined && call.open === undefined)) return this.misplaced(kind)
        call?.open?.channel.onItems(bytes)
      },
      grant: (kind, id, more) => {
        if (kind !== Kind.GrantResponse) return this.misplaced(kind)
        this.calls.get(id)?.open?.channel.onGrant(more)
      },
      closed: ({ error, violation }) => this.closed(violation, error)
    })
    this.nested = new NestedCalls(this.link, () => this.welcome?.maxPayload ?? 0)
  }

  private misplaced(kind: number): void {
    this.link.violate(`a ${kindName(kind)} frame, which a parent must not send`)
  }

  /** What is provided around the functions. */
  get around(): Context.Context<never> {
    return this.options.context
  }

  get maxResult(): number {
    return this.welcome?.maxResult ?? 0
  }

  get isStopping(): boolean {
    return this.isDraining || this.link.closed
  }

  /** Introduces this runner to its parent, which has so many milliseconds to let it in. */
  start(patience?: number): void {
    const { build, functions, info, life } = this.options
    const hello: Hello = {
      protocol,
      build,
      runner: info.id,
      life,
      functions: functions.map((fn) => [fn.name, fn.layout] as const),
      ...(this.options.steps === undefined ? {} : { steps: this.options.steps() })
    }
    this.link.open()
    this.link.send(Kind.Hello, 0, none, json(hello))
    if (patience !== undefined) this.unwelcomed = this.after(patience, () => this.giveUp(patience))
    Served.prepare(this.functions, this.options.transport, () => this.welcome !== undefined || this.link.closed)
  }

  /** There is a parent, or its end of the connection, but it says nothing: nobody else would end this runner. */
  private giveUp(patience: number): void {
    const hint = "its parent did not answer what it said of itself"
    Deferred.doneUnsafe(this.done, Exit.fail(new NeverConnected({ phase: "connected", hint, after: patience })))
    this.link.destroy()
  }

  /**
   * Takes nothing new, ends its calls within the budget in milliseconds, and leaves; its parent is told first.
   *
   * Without a budget it is the parent's `drainTimeout`. Calls that are left at its end are interrupted, and their
   * finalizers get `cancelGrace`. Told again, the budget that ends first holds.
   */
  drain(budget: number = this.welcome?.drainTimeout ?? 0): void {
    if (!this.isDraining) {
      this.isDraining = true
      this.link.control(Kind.Draining, 0)
      for (const { open } of this.calls.values()) open?.drain?.()
    }
    if (this.calls.size === 0 && !this.isInside) this.leave()
    // also where nothing runs any more: a parent that does not read must not keep a runner that has results to send
    this.after(budget, () => {
      this.interruptAll()
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

  private message(kind: number, id: number, body: Buffer, large: Uint8Array | undefined): void {
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
        else this.options.logs?.open(this.link, this.welcome.logLevel)
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
    if (this.isDraining && !this.isNeeded(head)) return this.link.send(Kind.Refused, id, none, Refusal.encodeDraining())
    const { link, now } = this
    const { maxPayload, maxResult } = this.welcome
    const open = served.open?.({ link, side: "runner", id, limit: maxPayload }, maxResult)
    const run = Served.run(served, body, head.end, large)
    const effect = open === undefined ? run : open.run(run)
    const current = new CurrentCall(this.options.info, served.fn.name, head.budget, now, this.nested, id)
    const call = new ServedCall(this, id, served, current, head.isTimed ? now() : undefined, open)
    this.isInside = true
    const exit = call.begin(this.context, head, this.isTraced, effect)
    this.isInside = false
    // one that ends at once cannot be cancelled: nobody need find it
    if (exit === undefined || !call.isPlain) this.calls.set(id, call)
    if (exit !== undefined) call.ended(exit)
  }

  /** Whether one of its own calls may wait for this one: then it is served although nothing new is taken. */
  private isNeeded(head: RequestHead): boolean {
    return head.isNested && this.calls.size > 0 && !this.isEnding && !this.isLeaving
  }

  /** The final frame of a call is on its way. */
  readonly over = (id: number): void => {
    this.calls.delete(id)
    if (this.calls.size > 0) return
    if (this.link.closed) this.finish()
    else if (this.isDraining) this.leave()
  }

  private cancel(id: number): void {
    const call = this.calls.get(id)
    if (call !== undefined) {
      call.isCancelled = true
      return call.stop()
    }
    // its payload had not come whole, or its result is still leaving in parts: either ends here. Otherwise its final
    // frame has left already and crosses the Cancel
    if (this.link.forget(id, "request") || this.link.abandon(id, "response")) this.link.control(Kind.Interrupted, id)
  }

  private interruptAll(): void {
    this.isEnding = true
    for (const call of this.calls.values()) call.stop()
  }

  /** Says goodbye once everything is written: whatever was asked of this runner has been answered then. */
  private leave(): void {
    if (this.isLeaving) return
    this.isLeaving = true
    this.link.whenSent(() => {
      this.options.logs?.close()
      this.link.control(Kind.Bye, 0)
      this.link.endSession()
    })
  }

  /** Its time is over: what has not ended or is not written is given up, so it may not say goodbye. */
  private cut(): void {
    this.isGraceOver = true
    this.isLeaving = true
    this.options.logs?.close()
    this.link.endSession()
    this.finish()
  }

  /** The session is over: whatever still runs is interrupted, and has `cancelGrace` for its finalizers. */
  private closed(violation: string | undefined, error: Error | undefined): void {
    // a pipe that never came about, of a runner that had to find its parent first
    if (error instanceof NeverConnected) Deferred.doneUnsafe(this.done, Exit.fail(error))
    if (violation !== undefined) {
      Effect.runForkWith(this.options.context)(
        Effect.logError(`the connection to the parent was ended: it sent ${violation}`)
      )
    }
    this.isDraining = true
    this.isLeaving = true
    this.interruptAll()
    this.nested.closed()
    // most end as they are interrupted
    if (this.calls.size === 0 || this.isGraceOver) return this.finish()
    this.after(this.welcome?.cancelGrace ?? 0, () => this.finish())
  }

  private finish(): void {
    for (const timer of this.timers) timer.interruptUnsafe()
    Deferred.doneUnsafe(this.done, Exit.void)
  }

  private after(millis: number, f: () => void): Fiber.Fiber<unknown> {
    const timer = Effect.runForkWith(this.options.context)(Effect.delay(Effect.sync(f), millis))
    this.timers.push(timer)
    return timer
  }
}
