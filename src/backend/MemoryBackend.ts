/**
 * Runners inside this process, for tests: the real codec, wire and pool, connected by direct calls and microtasks, so
 * that they work under `TestClock`. A test can make runners fail, boot slowly and get lost.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import { type BootFailure, Crashed } from "../error/BootFailure.ts"
import type { AnyImplemented, Implemented } from "../function/FlameFunction.ts"
import { Exited, type ExitReason, Killed, type RunnerExit } from "../error/RunnerExit.ts"
import { CurrentRole, type ProcessRole } from "../process/AppRole.ts"
import { LogForward } from "../runner/LogForward.ts"
import { MetricChanges } from "../runner/MetricChanges.ts"
import { MetricForward } from "../runner/MetricForward.ts"
import { RunnerServer } from "../runner/RunnerServer.ts"
import { functionsOf, partOf } from "../runner/Serving.ts"
import type { AnyGroup, PoolFunctions } from "../function/Servable.ts"
import { frames } from "../wire/MetricDelta.ts"
import { memoryPair, type Transport } from "../wire/Transport.ts"
import { Backend, type RunnerProcess, type RunnerSpec } from "./Backend.ts"

/**
 * A runner in memory, as a test sees it.
 *
 * @since 0.1.0
 * @category testing
 */
export interface MemoryRunner {
  readonly id: string
  readonly pool: string
}

/**
 * Scripted faults of the runners of a `FlameLayer.test`.
 *
 * @since 0.1.0
 * @category testing
 */
export class MemoryRunners extends Context.Service<
  MemoryRunners,
  {
    /** Runners that exist now, in the order of their boots; booting ones too. */
    readonly list: Effect.Effect<ReadonlyArray<MemoryRunner>>
    /** The number of runners launched so far. */
    readonly launched: Effect.Effect<number>
    /** Makes the next boots fail with these causes, one each. */
    readonly failBoots: (...causes: ReadonlyArray<BootFailure>) => Effect.Effect<void>
    /** Makes every boot take that long, from now on. */
    readonly delayBoots: (duration: Duration.Input) => Effect.Effect<void>
    /** Makes runners that boot from now on never send Hello. */
    readonly muteBoots: (mute: boolean) => Effect.Effect<void>
    /** Ends runners as if from outside: the one that is named, or all. Default reason: SIGKILL. */
    readonly lose: (options?: { readonly id?: string; readonly exit?: ExitReason }) => Effect.Effect<void>
    /** Cuts the connection of one runner or of all. The reason of the end is reported after the delay, or never. */
    readonly disconnect: (options?: {
      readonly id?: string
      readonly tellAfter?: Duration.Input
    }) => Effect.Effect<void>
    /** Drains one runner or all, as SIGTERM does. */
    readonly terminate: (id?: string) => Effect.Effect<void>
    /** Makes one runner or all stop reading, as a blocked event loop does, or read again. */
    readonly freeze: (frozen: boolean, id?: string) => Effect.Effect<void>
  }
>()("effect-flame/testing/MemoryRunners") {}

interface Living extends MemoryRunner {
  readonly server: RunnerServer
  readonly exit: Deferred.Deferred<RunnerExit>
  /** Milliseconds between the end and the report of its reason. */
  tellAfter: number
  readonly cut: () => void
  readonly freeze: (frozen: boolean) => void
}

/**
 * Options of the memory backend.
 *
 * @since 0.1.0
 * @category testing
 */
export interface MemoryBackendOptions<R> {
  readonly functions: ReadonlyArray<Implemented<R> | PoolFunctions<R> | AnyGroup>
  /** Name of the runners' build; the parent's is `test`. */
  readonly build?: string
}

/**
 * The backend whose runners live in this process, and the faults that a test may inject. Services that groups need are
 * not in its type.
 *
 * @since 0.1.0
 * @category testing
 */
export const layer = <R>(options: MemoryBackendOptions<R>): Layer.Layer<Backend | MemoryRunners, never, R> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const context = (yield* Effect.context<R>()) as Context.Context<never>
      // All runners are in this process, so the services of all pools are built once.
      const { served, services } = partOf(options.functions, undefined)
      const own = services === undefined ? Context.empty() : yield* Effect.orDie(Layer.build(services))
      const all = Context.merge(context, own)
      const world = new World(yield* functionsOf(served), options.build ?? "test", all)
      return Context.make(
        Backend,
        Backend.of({
          name: "memory",
          build: "test",
          defaults: { bootTimeout: 60_000, reasonGrace: 50 },
          launch: (spec) => world.launch(spec)
        })
      ).pipe(Context.add(MemoryRunners, world.faults))
    })
  )

type MetricSeries = typeof Metric.MetricRegistry.Service extends Map<string, infer One> ? One : never

/** The metrics of one runner: as in a process, its parent has them only once they have been sent. */
class OwnRegistry extends Map<string, MetricSeries> {
  private readonly added: () => void

  constructor(added: () => void) {
    super()
    this.added = added
  }

  override set(key: string, value: MetricSeries): this {
    super.set(key, value)
    this.added()
    return this
  }
}

class World {
  private readonly living = new Map<string, Living>()
  private launched = 0
  private failures: Array<BootFailure> = []
  private delay: Duration.Input = 0
  private isMute = false
  private readonly functions: ReadonlyArray<AnyImplemented>
  private readonly build: string
  private readonly context: Context.Context<never>

  constructor(functions: ReadonlyArray<AnyImplemented>, build: string, context: Context.Context<never>) {
    this.functions = functions
    this.build = build
    this.context = context
  }

  readonly launch = (spec: RunnerSpec) =>
    Effect.gen({ self: this }, function* () {
      this.launched++
      const failure = this.failures.shift()
      if (Duration.toMillis(Duration.fromInputUnsafe(this.delay)) > 0) yield* Effect.sleep(this.delay)
      if (failure !== undefined) return yield* Effect.fail(failure)
      const isMute = this.isMute
      const runner = yield* Effect.acquireRelease(
        Effect.sync(() => this.start(spec, isMute)),
        (runner) => this.stop(runner)
      )
      return {
        labels: { runner: spec.id },
        phases: Stream.make({ name: "started" as const }),
        connection: Effect.succeed(runner.transport),
        exit: Deferred.await(runner.exit),
        bootFailure: ({ reason }) => new Crashed({ exitCode: null, detail: reason.message }),
        kill: (by) => Effect.sync(() => end(runner, new Killed({ signal: "SIGKILL", by })))
      } satisfies RunnerProcess
    })

  private start(spec: RunnerSpec, isMute: boolean): Living & { readonly transport: Transport } {
    const [parent, own] = memoryPair()
    const exit = Deferred.makeUnsafe<RunnerExit>()
    const logs = new LogForward()
    const registry = new OwnRegistry(() => metrics.arm())
    const context = Context.add(this.context, Metric.MetricRegistry, registry)
    const changes = new MetricChanges(registry, context)
    const metrics = new MetricForward(context, { take: () => changes.take(), frames }, () => registry.size === 0)
    const server = new RunnerServer({
      transport: own,
      info: { id: spec.id, pool: spec.pool, parent: "this process" },
      life: spec.life,
      build: this.build,
      functions: this.functions,
      context: logs.instead(Context.add(context, CurrentRole, roleOf(spec, this.build))),
      logs,
      metrics,
      leaving: metrics.flush
    })
    const runner: Living & { readonly transport: Transport } = {
      id: spec.id,
      pool: spec.pool,
      server,
      exit,
      transport: parent,
      tellAfter: 0,
      cut: () => own.destroy(),
      freeze: (frozen: boolean) => own.freeze(frozen)
    }
    this.living.set(spec.id, runner)
    if (!isMute) server.start()
    // As a process does, a runner exits once its session is over and its calls have ended.
    const told = Effect.flatMap(Effect.exit(Deferred.await(server.done)), () =>
      runner.tellAfter === 0 ? Effect.void : Effect.sleep(runner.tellAfter)
    )
    Effect.runForkWith(this.context)(Effect.raceFirst(told, Deferred.await(exit))).addObserver(() => {
      Deferred.doneUnsafe(exit, Exit.succeed({ reason: new Exited({ code: 0 }), gone: true }))
    })
    return runner
  }

  private stop(runner: Living): Effect.Effect<void> {
    return Effect.suspend(() => {
      end(runner, new Killed({ signal: "SIGTERM", by: "its pool has closed it" }))
      this.living.delete(runner.id)
      return Effect.asVoid(Deferred.await(runner.exit))
    })
  }

  private each(id: string | undefined, f: (runner: Living) => void): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const runner of Array.from(this.living.values())) if (id === undefined || runner.id === id) f(runner)
    })
  }

  readonly faults: MemoryRunners["Service"] = {
    list: Effect.sync(() => [...this.living.values()].map(({ id, pool }) => ({ id, pool }))),
    launched: Effect.sync(() => this.launched),
    failBoots: (...causes) => Effect.sync(() => void this.failures.push(...causes)),
    delayBoots: (duration) =>
      Effect.sync(() => {
        this.delay = duration
      }),
    muteBoots: (mute) =>
      Effect.sync(() => {
        this.isMute = mute
      }),
    lose: (options) =>
      this.each(options?.id, (runner) => end(runner, options?.exit ?? new Killed({ signal: "SIGKILL" }))),
    disconnect: (options) =>
      this.each(options?.id, (runner) => {
        runner.tellAfter =
          options?.tellAfter === undefined ? Infinity : Duration.toMillis(Duration.fromInputUnsafe(options.tellAfter))
        runner.cut()
      }),
    terminate: (id) => this.each(id, (runner) => runner.server.drain()),
    freeze: (frozen, id) => this.each(id, (runner) => runner.freeze(frozen))
  }
}

const roleOf = (spec: RunnerSpec, build: string): ProcessRole => ({
  _tag: "Runner",
  id: spec.id,
  pool: spec.pool,
  parent: "this process",
  build
})

/** Ends a runner as a kill does: the reason is known at once, whatever its functions still do. */
const end = (runner: Living, reason: ExitReason): void => {
  Deferred.doneUnsafe(runner.exit, Exit.succeed({ reason, gone: true }))
  runner.freeze(false)
  runner.cut()
}
