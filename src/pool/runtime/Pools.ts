/** The pools of this process, for code that shows or changes all of them. */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { PoolEngine } from "../engine/PoolEngine.ts"
import type { PoolWatch } from "../engine/PoolWatch.ts"
import type { PoolEvent, PoolStatus } from "../status/PoolEvent.ts"
import type { PoolShape, Resizable } from "./PoolShape.ts"

/**
 * A pool of this process: its status, its events, and its changes.
 *
 * @since 0.1.0
 * @category pools
 */
export type PoolHandle = Pick<PoolShape, "id" | "status" | "events" | "resize" | "drain">

/** A pool as the modules of this package see it. @internal */
export interface OwnPool {
  readonly engine: PoolEngine
  readonly status: PoolStatus
  readonly events: Stream.Stream<PoolEvent>
  readonly resize: (options: Resizable) => void
  readonly close: Effect.Effect<void>
}

/** Makes the watch of a pool. @internal */
export type MakeWatch = (pool: OwnPool) => PoolWatch

const pools = new Map<OwnPool, PoolHandle>()
let makeWatch: MakeWatch | undefined

/**
 * The pools of this process that are open or closing, in the order in which they were built.
 *
 * Two layers of one pool class are two pools with one id.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Pools } from "effect-flame"
 *
 * const waiting = Effect.gen(function*() {
 *   const pools = yield* Pools.all
 *   const statuses = yield* Effect.forEach(pools, (pool) => pool.status)
 *   return statuses.reduce((sum, status) => sum + status.waiting, 0)
 * })
 * ```
 *
 * @since 0.1.0
 * @category pools
 */
export const all: Effect.Effect<ReadonlyArray<PoolHandle>> = Effect.sync(() => [...pools.values()])

/** Adds a pool. The returned function removes it. @internal */
export const register = (id: string, pool: OwnPool): (() => void) => {
  pools.set(pool, {
    id,
    status: Effect.sync(() => pool.status),
    events: pool.events,
    resize: (options) => Effect.sync(() => pool.resize(options)),
    drain: Effect.suspend(() => pool.close)
  })
  pool.engine.watch = makeWatch?.(pool)
  return () => {
    pools.delete(pool)
    pool.engine.watch = undefined
  }
}

/** The pools with their engines. @internal */
export const own = (): ReadonlyArray<OwnPool> => [...pools.keys()]

/** Watches every pool, also those that are built later. Replaces the watches before it; undefined ends them. @internal */
export const watch = (make: MakeWatch | undefined): void => {
  makeWatch = make
  for (const pool of pools.keys()) pool.engine.watch = make?.(pool)
}
