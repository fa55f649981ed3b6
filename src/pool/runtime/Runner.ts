/** What `withRunner` provides: one runner of a pool for the calls inside. */
import * as Context from "effect/Context"
import type { PoolEngine } from "../engine/PoolEngine.ts"

/** The runner that a `withRunner` holds. */
export interface LeasedRunner {
  readonly id: string
  readonly pool: string
  /** What helps a person to find it, such as its pid. */
  readonly labels: Readonly<Record<string, string>>
  /** @internal */
  readonly lease: number
  /** @internal */
  readonly engine: PoolEngine
  /** The runner of another pool whose `withRunner` is around this one. @internal */
  readonly outer: LeasedRunner | undefined
}

/** The runner on which the calls inside of a `withRunner` run. */
export class Runner extends Context.Service<Runner, LeasedRunner>()("effect-flame/Runner") {}
