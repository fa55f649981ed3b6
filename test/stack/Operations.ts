/** The actions of callers as effects, and their observed course: start, end and outcome. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Flame from "../../src/Flame.ts"
import { Pool } from "../../src/pool/Pool.ts"
import { desk, items, often, once, outer, Procedures, within } from "./Functions.ts"
import type { Action } from "./Schedule.ts"

/** Actions of callers. */
export type Doing = Extract<
  Action,
  { _tag: "Call" | "Cast" | "Group" | "Outer" | "Within" | "Items" | "Place" | "Lease" }
>

export const isDoing = (action: Action): action is Doing =>
  ["Call", "Cast", "Group", "Outer", "Within", "Items", "Place", "Lease"].includes(action._tag)

/** An action of a caller, in progress or ended. */
export interface Operation {
  readonly doing: Doing
  readonly begun: number
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Items that the reader of a stream has got. */
  readonly seen: Array<number>
  interrupted: number | undefined
  ended: number | undefined
  exit: Exit.Exit<unknown, unknown> | undefined
  /** The number of ends, which must be one. */
  ends: number
}

/** The timeout of an action, as options. */
const budget = ({ timeout }: { readonly timeout?: number }): { readonly timeout?: number } =>
  timeout === undefined ? {} : { timeout }

/** The effect of an action. Items of a stream go into `seen`. */
export const effectOf = (doing: Doing, seen: Array<number>): Effect.Effect<unknown, unknown, Pool> => {
  switch (doing._tag) {
    case "Call":
      return Flame.call(doing.often ? often : once, doing.job, budget(doing))
    case "Cast":
      return Flame.cast(once, doing.job)
    case "Group":
      return Effect.flatMap(Flame.client(Procedures, budget(doing)), (client) => client.work(doing.job))
    case "Outer": {
      const { id, inner, times, together } = doing
      return Flame.call(outer, { id, inner, times, together }, budget(doing))
    }
    case "Within": {
      const { id, inner, take, within: kind } = doing
      return Flame.call(within, { id, within: kind, inner, take }, budget(doing))
    }
    case "Items":
      return Flame.stream(items, { ...doing.job, count: doing.count }, budget(doing)).pipe(
        Stream.take(doing.take),
        Stream.runForEach((item) => {
          seen.push(item)
          return doing.pause === 0 ? Effect.void : Effect.sleep(doing.pause)
        })
      )
    case "Place":
      return Effect.scoped(
        Effect.gen(function* () {
          const { how, id, millis } = doing
          const client = yield* Flame.place(desk, { how, id, millis }, budget(doing))
          yield* Effect.forEach(doing.jobs, (job) => Effect.exit(client.work(job)), { concurrency: 2 })
          yield* Effect.sleep(doing.hold)
        })
      )
    case "Lease":
      return Effect.gen(function* () {
        const pool = yield* Pool
        yield* pool.withRunner(
          Effect.forEach(doing.jobs, (job) =>
            Effect.andThen(Effect.exit(Flame.call(once, job)), Effect.sleep(doing.pause))
          )
        )
      })
  }
}

/** Starts an action, and records its end in the operation. */
export const begin = (doing: Doing, context: Context.Context<Pool>, now: () => number): Operation => {
  const operation: Operation = {
    doing,
    begun: now(),
    fiber: undefined,
    seen: [],
    interrupted: undefined,
    ended: undefined,
    exit: undefined,
    ends: 0
  }
  const fiber = Effect.runForkWith(context)(effectOf(doing, operation.seen))
  operation.fiber = fiber
  fiber.addObserver((exit) => {
    operation.ended = now()
    operation.exit = exit
    operation.ends++
  })
  return operation
}
