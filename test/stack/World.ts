/**
 * A parent and its runners in one process, on virtual time. Pool, wire, codec and runner are the real ones; only
 * processes and the network are simulated.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { Backend } from "../../src/backend/Backend.ts"
import * as MemoryBackend from "../../src/backend/MemoryBackend.ts"
import { Pool } from "../../src/pool/Pool.ts"
import type { PoolShape } from "../../src/pool/runtime/PoolShape.ts"
import { Ledger, LedgerState, ProceduresLive, served } from "./Functions.ts"
import type { Options } from "./Schedule.ts"
import { SlowPipe } from "./SlowPipe.ts"
import { VirtualTime } from "./VirtualTime.ts"

export class World {
  readonly time = new VirtualTime()
  /** Runners that exist at the backend now, and the largest number that ever did. */
  now = 0
  peak = 0
  readonly pipes = new Map<string, SlowPipe>()
  readonly ledger: LedgerState
  /** All spans, and how often each has ended. */
  readonly spans = new Map<Tracer.Span, number>()
  pool!: PoolShape
  faults!: MemoryBackend.MemoryRunners["Service"]
  /** The context in which callers run. */
  context!: Context.Context<Pool>
  private readonly scope = Scope.makeUnsafe()

  constructor() {
    this.ledger = new LedgerState(
      () => this.time.now,
      (runner) => this.run(this.kill(runner))
    )
  }

  /** Runs an effect that does not use the pool. */
  run(effect: Effect.Effect<unknown, unknown>): void {
    Effect.runForkWith(this.time.context)(effect)
  }

  /** Ends a runner as SIGKILL would: its code stops at once. */
  kill(runner: string): Effect.Effect<void> {
    return Effect.andThen(this.faults.lose({ id: runner }), this.left(runner))
  }

  async open(options: Options): Promise<void> {
    const surroundings = Layer.mergeAll(
      Layer.succeed(Ledger, this.ledger),
      Layer.succeed(Tracer.Tracer, this.tracer),
      Logger.layer([]),
      Layer.provide(ProceduresLive, Layer.succeed(Ledger, this.ledger))
    )
    const backend = this.watched(MemoryBackend.layer<Ledger>({ functions: served }))
    const layer = Layer.provideMerge(Pool.layer(options), Layer.provideMerge(backend, surroundings))
    let built: Context.Context<Pool | MemoryBackend.MemoryRunners> | undefined
    let failure: unknown
    Effect.runForkWith(this.time.context)(Layer.buildWithScope(layer, this.scope)).addObserver((exit) => {
      if (Exit.isSuccess(exit)) built = exit.value as never
      else failure = exit.cause
    })
    await this.time.settle()
    if (built === undefined) throw new Error("the pool is not built without time passing", { cause: failure })
    this.pool = Context.get(built, Pool)
    this.faults = Context.get(built, MemoryBackend.MemoryRunners)
    this.context = Context.merge(this.time.context, built)
  }

  /** Closes the pool. Returns whether it has closed within that many milliseconds. */
  async close(within: number): Promise<boolean> {
    const state = { closed: false }
    Effect.runForkWith(this.time.context)(Scope.close(this.scope, Exit.void)).addObserver(() => (state.closed = true))
    const until = this.time.now + within
    await this.time.settle()
    while (!state.closed && this.time.now < until) await this.time.advance(50)
    return state.closed
  }

  /** Runs an effect that needs no time to pass, and returns its result. */
  async value<A>(effect: Effect.Effect<A>): Promise<A> {
    let result: A | undefined
    Effect.runForkWith(this.time.context)(effect).addObserver((exit) => {
      if (Exit.isSuccess(exit)) result = exit.value
    })
    await this.time.settle()
    return result as A
  }

  private left(runner: string): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const runs of this.ledger.executions.values()) {
        for (const run of runs) if (run.runner === runner && run.ended === undefined) this.ledger.end(run)
      }
    })
  }

  private readonly tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      this.spans.set(span, 0)
      const end = span.end.bind(span)
      span.end = (endTime, exit) => {
        this.spans.set(span, this.spans.get(span)! + 1)
        end(endTime, exit)
      }
      return span
    }
  })

  private watched<R>(
    layer: Layer.Layer<Backend | MemoryBackend.MemoryRunners, never, R>
  ): Layer.Layer<Backend | MemoryBackend.MemoryRunners, never, R> {
    return Layer.flatMap(layer, (context) => {
      const backend = Context.get(context, Backend)
      const launch: typeof backend.launch = (spec) =>
        Effect.gen({ self: this }, function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => {
              this.now++
              this.peak = Math.max(this.peak, this.now)
            }),
            () =>
              Effect.andThen(
                this.left(spec.id),
                Effect.sync(() => {
                  this.now--
                  this.pipes.delete(spec.id)
                })
              )
          )
          const runner = yield* backend.launch(spec)
          return {
            ...runner,
            kill: (by) => Effect.andThen(runner.kill(by), this.left(spec.id)),
            connection: Effect.map(runner.connection, (transport) => {
              const pipe = new SlowPipe(transport, this.time)
              this.pipes.set(spec.id, pipe)
              return pipe
            })
          } satisfies typeof runner
        })
      return Layer.succeedContext(Context.add(context, Backend, Backend.of({ ...backend, launch })))
    })
  }
}
