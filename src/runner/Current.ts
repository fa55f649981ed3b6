/** Inside a function: where it runs, and how much of its call's budget is left. */
import * as Context from "effect/Context"

/** What a runner knows of itself. */
export interface RunnerInfo {
  /** Name of the runner, as the parent's events, errors and logs have it. */
  readonly id: string
  /** Id of the pool it belongs to. */
  readonly pool: string
  /** Who booted it, for people: such as the parent's pid or pod. */
  readonly parent: string
}

/** One call, seen from inside. */
export class CurrentCall implements RunnerInfo {
  readonly id: string
  readonly pool: string
  readonly parent: string
  /** Name of the function that runs. */
  readonly function: string
  private readonly deadline: number | undefined
  private readonly now: () => number

  constructor(info: RunnerInfo, fn: string, budget: number | undefined, now: () => number) {
    this.id = info.id
    this.pool = info.pool
    this.parent = info.parent
    this.function = fn
    this.now = now
    this.deadline = budget === undefined ? undefined : now() + budget
  }

  /** Milliseconds that are left of the call's budget, at least 0; undefined where it has none. */
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
 */
export class Current extends Context.Service<Current, CurrentCall>()("effect-flame/FlameRunner/Current") {}
