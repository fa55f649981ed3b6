/** The functions, the group and the placed service of the simulation, and the ledger into which they write. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Stream from "effect/Stream"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Flame from "../../src/Flame.ts"
import { Current } from "../../src/function/Current.ts"
import type { FlameError } from "../../src/error/FlameError.ts"
import type { Pool } from "../../src/pool/Pool.ts"

/** An execution of a job on a runner. */
export interface Execution {
  readonly runner: string
  readonly begun: number
  ended: number | undefined
}

/** Every execution of every job, as the runners recorded it. */
export class Ledger extends Context.Service<Ledger, LedgerState>()("stack/Ledger") {}

export class LedgerState {
  readonly executions = new Map<number, Array<Execution>>()
  private readonly now: () => number
  /** Ends a runner as SIGKILL would. */
  readonly kill: (runner: string) => void

  constructor(now: () => number, kill: (runner: string) => void) {
    this.now = now
    this.kill = kill
  }

  of(id: number): ReadonlyArray<Execution> {
    return this.executions.get(id) ?? []
  }

  begin(id: number, runner: string): Execution {
    const execution: Execution = { runner, begun: this.now(), ended: undefined }
    const all = this.executions.get(id)
    if (all === undefined) this.executions.set(id, [execution])
    else all.push(execution)
    return execution
  }

  /** The first end counts. A killed runner in memory still runs code in this process, which must not count. */
  end(execution: Execution): void {
    execution.ended ??= this.now()
  }
}

/**
 * The way a job ends, by its name. `late` takes 700 ms when it is interrupted, `poison` ends its runner, and the result of
 * `throwing` has a codec that throws on the runner.
 */
export const Ends = Schema.Literals([
  "well",
  "badly",
  "dead",
  "late",
  "stubborn",
  "unfit",
  "unfitError",
  "throwing",
  "poison"
])
export type Ends = typeof Ends.Type

export const Job = Schema.Struct({ id: Schema.Int, millis: Schema.Int, ends: Ends })
export type Job = typeof Job.Type

export class Refused extends Schema.TaggedError<Refused>()("stack/Refused", { id: Schema.Int }) {}

/** The result whose codec throws. */
const thrower = -1

const Result = Schema.Int.pipe(
  Schema.decodeTo(
    Schema.Int,
    SchemaTransformation.transform({
      decode: (value) => value,
      encode: (value) => {
        if (value === thrower) throw new Error("thrown by a codec")
        return value
      }
    })
  )
)

const executed = <A, E, R>(id: number, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const runner = (yield* Current).id
    const execution = ledger.begin(id, runner)
    return yield* Effect.ensuring(
      effect,
      Effect.sync(() => ledger.end(execution))
    )
  })

const ending = ({ ends, id }: Job): Effect.Effect<number, Refused, Ledger | Current> => {
  switch (ends) {
    case "badly":
      return Effect.fail(new Refused({ id }))
    case "dead":
      return Effect.die(new Error(`dead ${id}`))
    case "throwing":
      return Effect.succeed(thrower)
    // A value and an error that do not fit their schemas.
    case "unfit":
      return Effect.succeed(id + 0.5)
    case "unfitError":
      return Effect.fail({ _tag: "stack/Refused", id: "none" } as never)
    case "poison":
      return Effect.gen(function* () {
        const { kill } = yield* Ledger
        kill((yield* Current).id)
        return yield* Effect.never
      })
    default:
      return Effect.succeed(id)
  }
}

const run = (job: Job): Effect.Effect<number, Refused, Ledger | Current> => {
  const work = Effect.andThen(
    Effect.sleep(job.millis),
    Effect.suspend(() => ending(job))
  )
  if (job.ends === "late")
    return executed(
      job.id,
      Effect.onInterrupt(work, () => Effect.sleep(700))
    )
  if (job.ends === "stubborn") return Effect.uninterruptible(executed(job.id, work))
  return executed(job.id, work)
}

const contract = { payload: Job.fields, success: Result, error: Refused }

export const once = Flame.fn("stack/once", contract, run)
export const often = Flame.fn("stack/often", { ...contract, idempotent: true }, run)

/** The kinds of work that a function does through its parent. */
export const Within = Schema.Literals(["stream", "group", "place", "cast", "deep"])

const Nest = Schema.Struct({ id: Schema.Int, times: Schema.Int, together: Schema.Boolean, inner: Job })

/** Calls `once` several times from inside, and returns the number of successes. */
export const outer = Flame.fn(
  "stack/outer",
  { payload: Nest.fields, success: Schema.Int },
  ({ id, inner, times, together }) =>
    executed(
      id,
      Effect.forEach(
        Array.from({ length: times }, (_, i) => ({ ...inner, id: inner.id + i })),
        (job): Effect.Effect<number, never, Ledger | Current> =>
          Effect.matchCause(Flame.call(once, job) as Effect.Effect<number, Refused | FlameError>, {
            onFailure: () => 0,
            onSuccess: () => 1
          }),
        { concurrency: together ? "unbounded" : 1 }
      ).pipe(Effect.map((all) => all.reduce((sum, one) => sum + one, 0)))
    )
)

/** Emits the numbers from 0 below `count`, each after that many milliseconds, then ends as the job says. */
export const items = Flame.fn(
  "stack/items",
  { payload: { ...Job.fields, count: Schema.Int }, success: Schema.Int, error: Refused, stream: true },
  Effect.fnUntraced(function* ({ count, ...job }) {
    const ledger = yield* Ledger
    const execution = ledger.begin(job.id, (yield* Current).id)
    const last = Effect.suspend(() => Effect.asVoid(ending(job)))
    return Stream.range(0, count - 1).pipe(
      Stream.rechunk(1),
      Stream.tap(() => Effect.sleep(job.millis)),
      Stream.concat(Stream.drain(Stream.fromEffect(last))),
      Stream.ensuring(
        Effect.andThen(
          job.ends === "late" ? Effect.sleep(700) : Effect.void,
          Effect.sync(() => ledger.end(execution))
        )
      )
    )
  })
)

export class Procedures extends RpcGroup.make(
  Rpc.make("work", { payload: Job, success: Result, error: Refused }),
  Rpc.make("counted", { payload: { to: Schema.Int }, success: Schema.Int, stream: true })
) {}

const procedures = Procedures.of({
  work: (job) => run(job) as Effect.Effect<number, Refused, Ledger>,
  counted: ({ to }) => Stream.rechunk(Stream.range(1, to), 1)
})

/** The handlers of the group, which runners build. */
export const ProceduresLive = Procedures.toLayer(procedures)

const Placement = Schema.Struct({ id: Schema.Int, millis: Schema.Int, how: Schema.Literals(["well", "badly", "dead"]) })

/** A service that takes a while to build, answers the procedures, and takes a while to end. */
export const desk = Flame.service(
  "stack/desk",
  { group: Procedures, payload: Placement.fields, error: Refused },
  ({ how, id, millis }) =>
    Procedures.toLayer(
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const execution = ledger.begin(id, (yield* Current).id)
        yield* Effect.addFinalizer(() =>
          Effect.andThen(
            Effect.sleep(millis),
            Effect.sync(() => ledger.end(execution))
          )
        )
        yield* Effect.sleep(millis)
        if (how === "badly") return yield* new Refused({ id })
        if (how === "dead") return yield* Effect.die(new Error(`dead ${id}`))
        return procedures
      })
    )
)

const Inner = Schema.Struct({ id: Schema.Int, within: Within, inner: Job, take: Schema.Int })

/** The effect of nested work, and the number of items, answers or calls that succeeded. */
const doing = ({ id, inner, take, within }: typeof Inner.Type): Effect.Effect<number, unknown, Pool> => {
  switch (within) {
    case "stream":
      return Stream.runCount(Stream.take(Flame.stream(items, { ...inner, count: 5 }), take))
    case "group":
      return Effect.flatMap(Flame.client(Procedures), (client) =>
        Effect.andThen(Effect.exit(client.work(inner)), Stream.runCount(Stream.take(client.counted({ to: 5 }), take)))
      )
    case "place":
      return Effect.scoped(
        Effect.gen(function* () {
          const client = yield* Flame.place(desk, { id: id + 1, millis: inner.millis, how: "well" })
          yield* Effect.exit(client.work(inner))
          return yield* Stream.runCount(Stream.take(client.counted({ to: 5 }), take))
        })
      )
    case "cast":
      return Effect.as(Flame.cast(once, inner), 0)
    case "deep":
      return Effect.as(Flame.call(often, inner), 1)
  }
}

/** Takes a stream, calls a group, places a service or casts from inside, and returns the number of successes. */
export const within = Flame.fn("stack/within", { payload: Inner.fields, success: Schema.Int }, (work) =>
  executed(
    work.id,
    Effect.matchCause(doing(work) as Effect.Effect<number, unknown>, {
      onFailure: () => 0,
      onSuccess: (count) => count
    })
  )
)

export const served = [once, often, outer, items, within, Procedures, desk] as const
