/** Builds a pool from its parts, and closes it. The members of the service call this module. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Stream from "effect/Stream"
import { Backend } from "../../backend/Backend.ts"
import { isTransient } from "../../error/BootFailure.ts"
import { BootFailed, FlameError } from "../../error/FlameError.ts"
import { describeError } from "../../error/ErrorText.ts"
import { confineLoggers } from "../../error/ConfinedLoggers.ts"
import { confine } from "../../error/Unhandled.ts"
import { life } from "../../process/Life.ts"
import * as Shutdown from "../../process/Shutdown.ts"
import { askIdle } from "../life/IdleWhen.ts"
import { PoolEngine } from "../engine/PoolEngine.ts"
import type { PoolEvent, PoolStatus } from "../status/PoolEvent.ts"
import * as PoolSeries from "../engine/PoolSeries.ts"
import { PoolMetrics } from "../engine/PoolMetrics.ts"
import type { PoolOptions } from "../option/PoolOptions.ts"
import { resolve, toPolicyOptions } from "../option/PoolSettings.ts"
import { RunnerSeries } from "../engine/RunnerSeries.ts"
import * as PoolRegistry from "../engine/PoolRegistry.ts"
import * as Policy from "../policy/Policy.ts"
import * as PoolEvents from "./PoolEvents.ts"
import * as Pools from "./Pools.ts"
import type { Runner } from "./Runner.ts"
import * as RunnerLease from "./RunnerLease.ts"
import { type LifeParts, LivingRunner, statusOf } from "../life/LivingRunner.ts"
import { live } from "../life/RunnerLife.ts"

let runnersNamed = 0

const shortName = (pool: string): string =>
  pool
    .slice(pool.lastIndexOf("/") + 1)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 30) || "pool"

export class PoolRuntime {
  readonly engine: PoolEngine
  private readonly published: PoolEvents.PoolEvents
  readonly metrics = new PoolMetrics()
  private series: RunnerSeries | undefined
  /** Completes when `min` runners serve. Fails with the reason that they cannot. */
  readonly minReady = Deferred.makeUnsafe<void, FlameError>()
  private readonly id: string
  private options: PoolOptions<never>
  private readonly backend: Context.Service.Shape<typeof Backend>
  private readonly context: Context.Context<never>
  private readonly lives = new Set<Fiber.Fiber<void>>()
  private readonly others = new Set<Fiber.Fiber<unknown, unknown>>()
  private readonly closed = Deferred.makeUnsafe<void>()
  private readonly outOfTime = Deferred.makeUnsafe<void>()
  private closing = false
  /** The time when a shutdown cuts the calls of this pool, if apps were closed first. */
  private cutAt: number | undefined
  private unregister: () => void

  constructor(
    id: string,
    options: PoolOptions<never>,
    backend: Context.Service.Shape<typeof Backend>,
    context: Context.Context<never>,
    published: PoolEvents.PoolEvents
  ) {
    this.id = id
    this.options = options
    this.backend = backend
    this.context = context
    this.published = published
    const settings = resolve(options, backend.defaults)
    this.engine = new PoolEngine(
      {
        pool: id,
        context,
        metrics: this.metrics,
        build: backend.build,
        boot: (index) => this.boot(index),
        hopeless: (cause, attempts) => this.failMin(new BootFailed({ pool: id, attempts, cause })),
        stuck: (runner, fn) => this.publish({ _tag: "RunnerStuck", pool: id, runner: runner.id, function: fn })
      },
      Context.get(context, Clock.Clock),
      settings,
      toPolicyOptions(settings, options.idleWhen !== undefined),
      Math.trunc(Math.random() * 0x7fffffff)
    )
    const leaveRegistry = PoolRegistry.register({
      engine: this.engine,
      backend,
      castFailed: (fn, exit, mayLog) => this.castFailed(fn, exit, mayLog)
    })
    const leavePools = Pools.register(id, this)
    const leaveMetrics = PoolSeries.register(id, context, {
      metrics: this.metrics,
      now: () => Policy.snapshot(this.engine.state)
    })
    const leaveOutages = backend.onOutage?.((outage) =>
      this.publish(
        outage._tag === "Began"
          ? { _tag: "OutageBegan", pool: id, after: outage.after, detail: outage.detail }
          : { _tag: "OutageEnded", pool: id, after: outage.after }
      )
    )
    this.unregister = () => {
      // a backend of a test may answer with anything where it has no such member, as `Layer.mock` does
      if (typeof leaveOutages === "function") confine(leaveOutages)
      leaveRegistry()
      leavePools()
      leaveMetrics()
    }
    if (settings.min === 0) Deferred.doneUnsafe(this.minReady, Exit.void)
    this.engine.step({ _tag: "Tick", now: this.engine.now() })
  }

  /** Milliseconds that the close of the apps and of this pool may take together, from now on. */
  get shutdownBudget(): Effect.Effect<number> {
    const { drainTimeout } = this.engine.settings
    return Effect.map(budgetOf(this.backend.drainBudget, drainTimeout), (budget) => {
      this.cutAt = this.engine.now() + budget
      return budget
    })
  }

  /** Takes no new calls, lets calls in flight end within `drainTimeout`, and removes every runner. Idempotent. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.closing) return Deferred.await(this.closed)
      this.closing = true
      const { engine } = this
      const { cancelGrace, drainTimeout } = engine.settings
      this.publish({ _tag: "PoolClosing", pool: this.id })
      engine.step({ _tag: "Close", now: engine.now() })
      engine.unanswered.lost.tellAll()
      for (const runner of engine.runners.values()) runner.handle?.warn()
      const cutAfter = (millis: number) =>
        engine.timer.after(millis, () => {
          if (Shutdown.isSignalled() && Policy.snapshot(engine.state).used > 0) Shutdown.markCut()
          for (const runner of engine.runners.values()) runner.handle?.drain(0)
          Deferred.doneUnsafe(this.outOfTime, Exit.void)
          engine.timer.after(cancelGrace + 1_000, () => {
            for (const runner of engine.runners.values()) runner.kill("the pool closed")
          })
        })
      const { drainBudget } = this.backend
      if (this.cutAt !== undefined) cutAfter(Math.max(0, this.cutAt - engine.now()))
      else if (drainBudget === undefined) cutAfter(drainTimeout)
      else this.beside(Effect.map(budgetOf(drainBudget, drainTimeout), cutAfter))
      // Not on the fiber of the first caller, which may be interrupted while others wait for the same end.
      Effect.runForkWith(this.context)(this.awaitEnd)
      return Deferred.await(this.closed)
    })
  }

  private get awaitEnd(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (this.lives.size > 0) yield* Fiber.awaitAll([...this.lives])
      this.engine.timer.dispose()
      for (const fiber of this.others) fiber.interruptUnsafe()
      // Bounded, because a hook may be uninterruptible.
      yield* Effect.timeoutOption(Fiber.awaitAll([...this.others]), this.engine.settings.cancelGrace)
      this.unregister()
      this.published.end()
      Deferred.doneUnsafe(this.closed, Exit.void)
    })
  }

  /** The events from now on. The stream ends once its reader has all events of a pool that is closed. */
  get events(): Stream.Stream<PoolEvent> {
    return this.published.stream
  }

  get status(): PoolStatus {
    const { engine } = this
    const figures = Policy.snapshot(engine.state)
    return {
      pool: this.id,
      backend: this.backend.name,
      state: !this.closing ? "open" : this.lives.size > 0 ? "closing" : "closed",
      min: engine.settings.min,
      max: engine.settings.max,
      concurrency: engine.settings.concurrency,
      runners: Policy.runners(engine.state).map((view) =>
        statusOf(view, engine.runners.get(view.runner), engine.now())
      ),
      booting: figures.booting,
      ready: figures.ready,
      draining: figures.draining,
      busySlots: figures.used,
      freeSlots: figures.free,
      suspended: figures.suspended,
      waiting: figures.waiting,
      leases: figures.leases,
      totals: this.metrics.totals
    }
  }

  /** Changes options. Options that are not given stay as they are. */
  resize(options: Partial<PoolOptions<never>>): void {
    const resizedOptions = { ...this.options, ...options }
    const { engine } = this
    engine.settings = resolve(resizedOptions, this.backend.defaults)
    // Only after `resolve` has accepted them. Otherwise the next change would fail because of them again.
    this.options = resizedOptions
    const resized = toPolicyOptions(engine.settings, this.options.idleWhen !== undefined)
    engine.step({ _tag: "Resize", now: engine.now(), options: resized })
  }

  /** Runs an effect with one runner for the calls inside. */
  withRunner<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | FlameError, Exclude<R, Runner>> {
    return RunnerLease.during(this.engine, effect)
  }

  /** Reports the failure of a cast in the log and as an event. */
  castFailed(
    fn: { readonly name: string },
    exit: Exit.Exit<unknown, unknown>,
    mayLog?: (bytes: number) => boolean
  ): void {
    if (Exit.isSuccess(exit)) return
    const reason = exit.cause.reasons[0]
    const error = reason?._tag === "Fail" ? reason.error : reason?._tag === "Die" ? reason.defect : "interrupted"
    const message = describeError(error)
    if (mayLog?.(message.length) === false) return
    this.publish({ _tag: "CastFailed", pool: this.id, function: fn.name, message })
    this.beside(Effect.logError(`a cast of ${fn.name} failed: ${message}`))
  }

  private publish(event: PoolEvent): void {
    this.published.publish(event)
    this.engine.watch?.event(event)
    if (event._tag === "RunnerReady") {
      const { booting, runners } = Policy.snapshot(this.engine.state)
      // A runner that is ready and already has its last call counts as well.
      if (this.engine.settings.min <= runners - booting) confine(() => Deferred.doneUnsafe(this.minReady, Exit.void))
    }
    if (event._tag === "BootFailed" && !isTransient(event.cause)) {
      this.failMin(new BootFailed({ pool: this.id, runner: event.runner, attempts: 1, cause: event.cause }))
    }
  }

  /** Fails `awaitMin`, if it still waits. */
  private failMin(reason: BootFailed): void {
    confine(() => Deferred.doneUnsafe(this.minReady, Exit.fail(new FlameError({ reason }))))
  }

  private boot(index: number): LivingRunner {
    const parts: LifeParts = {
      pool: this.id,
      life,
      build: this.backend.build,
      backend: this.backend,
      metrics: this.metrics,
      series: (this.series ??= new RunnerSeries(this.id, this.context)),
      hooks: this.options,
      publish: (event) => this.publish(event),
      beside: (effect) => this.beside(effect),
      outOfTime: Deferred.await(this.outOfTime),
      askIdle: (index, handle) =>
        askIdle(this.engine, this.id, this.options.idleWhen, index, handle, (effect) => this.beside(effect))
    }
    const id = `${shortName(this.id)}-${life}-${runnersNamed++}`
    const isKept = Policy.snapshot(this.engine.state).waiting === 0
    const runner = new LivingRunner(id, index, isKept, parts, this.engine)
    // Starts in a turn of its own, because a boot that fails at once would step the policy inside a step.
    const fiber = Effect.runForkWith(this.context)(
      Effect.andThen(Effect.yieldNow, live(runner, index, parts, this.engine))
    )
    this.lives.add(fiber)
    fiber.addObserver(() => this.lives.delete(fiber))
    return runner
  }

  /** Runs an effect in the background, until the pool has ended. */
  private beside(effect: Effect.Effect<unknown, unknown>): void {
    const fiber = Effect.runForkWith(this.context)(Effect.ignoreCause(effect, { log: true }))
    this.others.add(fiber)
    fiber.addObserver(() => this.others.delete(fiber))
  }
}

/** Makes a pool on the backend of the context. The scope closes the pool. */
export const make = Effect.fnUntraced(function* (id: string, options: PoolOptions<never>) {
  const backend = yield* Backend
  const context = confineLoggers(yield* Effect.context<never>())
  const published = yield* PoolEvents.make
  const runtime = new PoolRuntime(id, options, backend, context, published)
  yield* Effect.addFinalizer(() => runtime.close)
  const { max, min } = runtime.engine.settings
  yield* Effect.logDebug(
    `pool ${id} (${backend.name}) keeps ${min} and may have ${max} runners, for this process: other replicas have their own`
  )
  if (options.awaitMin === true) yield* Deferred.await(runtime.minReady)
  return runtime
})

/** The time that is left of a drain. A backend that cannot say so must not keep the pool from closing. */
const budgetOf = (of: ((millis: number) => Effect.Effect<number>) | undefined, millis: number): Effect.Effect<number> =>
  of === undefined
    ? Effect.succeed(millis)
    : Effect.catchCause(
        Effect.suspend(() => of(millis)),
        () => Effect.succeed(millis)
      )
