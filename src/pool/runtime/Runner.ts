/** The runner that `withRunner` provides, as a service: one runner of a pool for the calls inside. */
import * as Context from "effect/Context"
import type { PoolEngine } from "../engine/PoolEngine.ts"

/**
 * The runner that a `withRunner` holds.
 *
 * @since 0.1.0
 * @category runners
 */
export interface LeasedRunner {
  /** Name of the runner, as events, errors and logs have it. */
  readonly id: string
  /** Id of its pool. */
  readonly pool: string
  /** Labels by which a person finds the runner: its pid, or its pod, node and zone. */
  readonly labels: Readonly<Record<string, string>>
  /** The lease in the pool's policy. Not there in a runner that a test provides. @internal */
  readonly lease?: number
  /** The pool that the lease belongs to. @internal */
  readonly engine?: PoolEngine
  /** The runner of another pool whose `withRunner` is around this one. @internal */
  readonly outer?: LeasedRunner | undefined
}

/**
 * The runner on which the calls inside of a `withRunner` run.
 *
 * A test of code that only reads it provides a value: `Layer.succeed(Runner, { id: "r1", pool: "p", labels: {} })`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Pool, Runner } from "effect-flame"
 *
 * const where = Pool.withRunner(Effect.map(Runner, ({ id, labels }) => `${id} is process ${labels.pid}`))
 * ```
 *
 * @since 0.1.0
 * @category runners
 */
export class Runner extends Context.Service<Runner, LeasedRunner>()("effect-flame/Runner") {}
