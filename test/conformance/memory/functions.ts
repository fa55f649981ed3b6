/**
 * The functions of the tests, and the board on which they report and wait. Runners in memory share the test's process,
 * so test and functions share the board.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Flame from "../../../src/Flame.ts"
import * as FlameRunner from "../../../src/FlameRunner.ts"

/** The board: records what functions report, and holds the latches on which they wait. */
export class BoardState {
  /** Every start of a function, in order: its name and its runner. */
  readonly starts: Array<readonly [name: string, runner: string]> = []
  /** The functions that run now, finalizers included, and their runners. */
  readonly running = new Map<string, string>()
  /** The largest number of functions with a slot that ran at once on one runner. */
  busiest = 0
  private readonly slotless = new Set<string>()
  readonly interrupted: Array<string> = []
  /** The answer of the function `mayGo`. Undefined: `mayGo` does not answer. */
  mayGo: boolean | undefined = true
  /** The number of calls of `mayGo`. */
  asked = 0
  private readonly latches = new Map<string, Latch.Latch>()

  /** The latch with this name: shut until `open`. */
  latch(name: string): Latch.Latch {
    let latch = this.latches.get(name)
    if (latch === undefined) this.latches.set(name, (latch = Latch.makeUnsafe()))
    return latch
  }

  /** Lets the function with this name go on. */
  open(name: string): void {
    this.latch(name).openUnsafe()
  }

  /** The names in the order of their starts. */
  get order(): ReadonlyArray<string> {
    return this.starts.map(([name]) => name)
  }

  /**
   * Runs an effect under a name, and records the start and the end on the board. `hasSlot` is false for a function that
   * lends its slot to the calls that it makes, and for a request of a placed service.
   */
  run<A, E, R>(
    name: string,
    effect: Effect.Effect<A, E, R>,
    hasSlot = true
  ): Effect.Effect<A, E, R | FlameRunner.Current> {
    return Effect.flatMap(FlameRunner.Current, ({ id }) => {
      this.starts.push([name, id])
      this.running.set(name, id)
      if (!hasSlot) this.slotless.add(name)
      const busy = [...this.running].filter(([name, runner]) => runner === id && !this.slotless.has(name))
      this.busiest = Math.max(this.busiest, busy.length)
      return effect.pipe(
        Effect.onInterrupt(() => Effect.sync(() => this.interrupted.push(name))),
        Effect.ensuring(Effect.sync(() => this.running.delete(name)))
      )
    })
  }
}

/** The board as a service of the functions. */
export class Board extends Context.Service<Board, BoardState>()("test/Board") {
  static readonly layer = Layer.sync(Board, () => new BoardState())
}

const named = { name: Schema.String }
const untilOpen = (name: string) => Effect.flatMap(Board, (board) => board.latch(name).await)
const onBoard = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Board, (board) => board.run(name, effect))

/** Runs until the board lets it go, and returns its name. */
export const work = Flame.fn("work", { payload: named, success: Schema.String }, ({ name }) =>
  onBoard(name, Effect.as(untilOpen(name), name))
)

/** Is `work`, declared idempotent. */
export const again = Flame.fn("again", { payload: named, success: Schema.String, idempotent: true }, ({ name }) =>
  onBoard(name, Effect.as(untilOpen(name), name))
)

/** Runs until the board lets it go, also when it is interrupted. */
export const stubborn = Flame.fn("stubborn", { payload: named, success: Schema.String }, ({ name }) =>
  Effect.uninterruptible(onBoard(name, Effect.as(untilOpen(name), name)))
)

/** Runs until it is interrupted, and then cleans up until the board lets it go. */
export const tidy = Flame.fn("tidy", { payload: named }, ({ name }) =>
  onBoard(
    name,
    Effect.onInterrupt(Effect.never, () => untilOpen(name))
  )
)

export class Refusal extends Schema.TaggedError<Refusal>()("test/Refusal", { why: Schema.String }) {}

/** Fails with a typed error. With a name, it first reports on the board. */
export const refuse = Flame.fn("refuse", { payload: { why: Schema.String }, error: Refusal }, ({ why }) =>
  Effect.fail(new Refusal({ why }))
)

/** Dies with a defect. */
export const die = Flame.fn("die", { payload: { why: Schema.String }, success: Schema.Int }, ({ why }) =>
  Effect.die(new RangeError(why))
)

/** Doubles a number, at once. */
export const twice = Flame.fn("twice", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) =>
  Effect.succeed(2 * n)
)

/** Returns the id of its runner. */
export const where = Flame.fn("where", { success: Schema.String }, () =>
  Effect.map(FlameRunner.Current, ({ id }) => id)
)

export const Tenant = Context.Reference<string>("test/Tenant", { defaultValue: () => "nobody" })
Flame.propagate(Tenant, Schema.String)

/** Returns what its call sent along: annotations, log level, budget, trace. */
export const luggage = Flame.fn(
  "luggage",
  {
    success: Schema.Struct({
      pool: Schema.String,
      parent: Schema.String,
      remaining: Schema.UndefinedOr(Schema.Number),
      annotations: Schema.Record(Schema.String, Schema.String),
      level: Schema.String,
      tenant: Schema.String
    })
  },
  () =>
    Effect.gen(function* () {
      const { parent, pool, remaining } = yield* FlameRunner.Current
      return {
        pool,
        parent,
        remaining,
        annotations: (yield* References.CurrentLogAnnotations) as Record<string, string>,
        level: yield* References.MinimumLogLevel,
        tenant: yield* Tenant
      }
    })
)

/** Serves as `idleWhen`: answers as the board says, or never. */
export const mayGo = Flame.fn("mayGo", { success: Schema.Boolean }, () =>
  Effect.flatMap(Board, (board) => {
    board.asked++
    return board.mayGo === undefined ? Effect.never : Effect.succeed(board.mayGo)
  })
)

/** All functions of this file. */
export const functions = [work, again, stubborn, tidy, refuse, die, twice, where, luggage, mayGo] as const
