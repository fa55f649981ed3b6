/** Inside a function: where it runs, and how much of its call's budget is left. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/**
 * The runner's own identity, from inside of it.
 *
 * @since 0.1.0
 * @category runners
 */
export interface RunnerInfo {
  /** Name of the runner, as the parent's events, errors and logs have it. */
  readonly id: string
  /** Id of the pool it belongs to. */
  readonly pool: string
  /** The parent that booted the runner, for people: such as its pid or pod. */
  readonly parent: string
}

/** A declared function, with the fields that are needed to relay a call of it. */
export interface NestedFunction {
  readonly name: string
  readonly layout: string
  readonly timeout: number | undefined
  readonly idempotent: boolean
  readonly stream: boolean
}

/** A call that a function makes. */
export interface Wanted {
  readonly fn: NestedFunction
  readonly payload: unknown
  /** Milliseconds. `Infinity`: no budget. Undefined: the function's or the pool's timeout applies. */
  readonly timeout: number | undefined
  readonly pool: string
  /** Whether nobody waits for the result. */
  readonly cast: boolean
}

/** Makes the calls of functions, through their parent. */
export interface Nesting {
  readonly relay: (
    current: CurrentCall,
    caller: Fiber.Fiber<unknown, unknown>,
    wanted: Wanted
  ) => Effect.Effect<unknown, unknown, unknown>
  /** Places a service for a function, and gives its client, which belongs to the Scope. */
  readonly place: (
    current: CurrentCall,
    owner: Fiber.Fiber<unknown, unknown>,
    wanted: Wanted
  ) => Effect.Effect<object, unknown, unknown>
}

/**
 * The call that is running, from inside of its function.
 *
 * @since 0.1.0
 * @category runners
 */
export interface RunningCall extends RunnerInfo {
  /** Name of the function that runs. */
  readonly function: string
  /** Milliseconds that are left of the call's budget, at least 0. Undefined if the call has none. */
  readonly remaining: number | undefined
}

/** A call with the state that its runner keeps for nested calls. A `Current` that a test provides has none of that. */
export class CurrentCall implements RunningCall {
  readonly id: string
  readonly pool: string
  readonly parent: string
  /** Name of the function that runs. */
  readonly function: string
  /** @internal */
  readonly nesting: Nesting | undefined
  /** Its id on the connection. @internal */
  readonly callId: number
  /** Its nested calls that have not ended. @internal */
  nested = 0
  /** Whether it has its answer. @internal */
  isOver = false
  /** A context of its fibers of which nothing crosses with a nested call. @internal */
  plainContext: Context.Context<never> | undefined = undefined
  private deadline: number | undefined
  private readonly now: () => number

  constructor(
    info: RunnerInfo,
    fn: string,
    budget: number | undefined,
    now: () => number,
    nesting?: Nesting,
    callId = 0
  ) {
    this.id = info.id
    this.pool = info.pool
    this.parent = info.parent
    this.function = fn
    this.now = now
    this.nesting = nesting
    this.callId = callId
    this.deadline = budget === undefined ? undefined : now() + budget
  }

  /** Removes the deadline: the bounded part is done, and the rest has no budget. @internal */
  unbind(): void {
    this.deadline = undefined
  }

  get remaining(): number | undefined {
    return this.deadline === undefined ? undefined : Math.max(0, this.deadline - this.now())
  }
}

/**
 * Where a function runs: runner id, pool, parent, and the remaining budget of its call.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { FlameRunner } from "effect-flame"
 *
 * const whereAmI = Effect.map(FlameRunner.Current, ({ id, remaining }) => `${id}, ${remaining} ms left`)
 * ```
 *
 * @since 0.1.0
 * @category runners
 */
export class Current extends Context.Service<Current, RunningCall>()("effect-flame/FlameRunner/Current") {}
