/**
 * The pool that a function on a runner sees: relays calls, casts, streams and placed services to the parent's pool of that
 * id. Every other member fails, because only the parent has pools.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { FlameError, PoolMissing } from "../error/FlameError.ts"
import type { AnyFunction, AnyImplemented } from "../function/FlameFunction.ts"
import { Current, type CurrentCall, type NestedFunction } from "../function/Current.ts"

type Relay = (
  caller: Fiber.Fiber<unknown, unknown>,
  fn: NestedFunction,
  payload: unknown,
  timeout: number | undefined
) => Effect.Effect<unknown, unknown, unknown>

/** Adds the pools that the contracts of functions name. Calls to other pools need no service. */
export const provide = (
  context: Context.Context<never>,
  functions: ReadonlyArray<AnyImplemented>
): Context.Context<never> => {
  let provided = context
  // every implemented function was declared, though its type does not say so
  for (const { pool } of functions as ReadonlyArray<unknown> as ReadonlyArray<AnyFunction>) {
    if (provided.mapUnsafe.get(pool.key) instanceof RelayPool) continue
    provided = Context.add(provided, pool, new RelayPool(pool.key))
  }
  return provided
}

/** A pool of the parent. */
export class RelayPool {
  readonly id: string
  /** Members of every pool. */
  readonly call: Relay
  readonly cast: Relay
  readonly place: Relay

  constructor(id: string) {
    this.id = id
    this.call = this.relay("call")
    this.cast = this.relay("cast")
    this.place = this.relay("place")
  }

  get status(): Effect.Effect<never> {
    return Effect.die(this.parentOnly("status"))
  }
  get events(): never {
    throw this.parentOnly("events")
  }
  get drain(): Effect.Effect<never> {
    return Effect.die(this.parentOnly("drain"))
  }
  readonly resize = (_options: unknown): Effect.Effect<never> => Effect.die(this.parentOnly("resize"))

  readonly withRunner = (_effect: unknown): Effect.Effect<never, FlameError> =>
    fail(this.id, "withRunner", "only the parent can keep a runner; a function can call, cast, stream and place")

  private relay(how: "call" | "cast" | "place"): Relay {
    return (caller, fn, payload, timeout) => {
      const current = Context.getOrUndefined(caller.context as Context.Context<Current>, Current) as
        | CurrentCall
        | undefined
      if (current?.nesting === undefined) return fail(this.id, fn.name, "it is called outside of a function")
      const wanted = { fn, payload, timeout, pool: this.id, cast: how === "cast" }
      return how === "place"
        ? current.nesting.place(current, caller, wanted)
        : current.nesting.relay(current, caller, wanted)
    }
  }

  private parentOnly(member: string): Error {
    return new Error(`${member} of pool ${this.id} is its parent's: a function can call, cast, stream and place`)
  }
}

const fail = (pool: string, name: string, detail: string): Effect.Effect<never, FlameError> =>
  Effect.fail(new FlameError({ reason: new PoolMissing({ pool, function: name, detail }) }))
