/** The pools of this process by id. Calls that functions make on runners find their pool here. */
import type * as Exit from "effect/Exit"
import type { PoolEngine } from "./PoolEngine.ts"

/** A pool, as the calls of functions see it. */
export interface RegisteredPool {
  readonly engine: PoolEngine
  /** The identity of its backend. */
  readonly backend: object
  /** Publishes and logs the failure of a cast. `mayLog` says whether the line fits the budget of lines. */
  readonly castFailed: (
    fn: { readonly name: string },
    exit: Exit.Exit<unknown, unknown>,
    mayLog?: (bytes: number) => boolean
  ) => void
}

const pools = new Map<string, Array<RegisteredPool>>()

/** Registers a pool. The returned function removes it. */
export const register = (pool: RegisteredPool): (() => void) => {
  const id = pool.engine.pool
  pools.set(id, [...(pools.get(id) ?? []), pool])
  return () => {
    const left = (pools.get(id) ?? []).filter((other) => other !== pool)
    if (left.length === 0) pools.delete(id)
    else pools.set(id, left)
  }
}

/**
 * Finds the pool of an id for a function on a runner of `from`: that pool itself, else a pool on the same backend, else
 * any. Among several pools the last one built is taken.
 */
export const find = (id: string, from: PoolEngine | undefined, backend: object): RegisteredPool | undefined => {
  const all = pools.get(id)
  if (all?.length === 1) return all[0]
  return (
    all?.find((pool) => pool.engine === from) ??
    all?.findLast((pool) => pool.backend === backend) ??
    all?.findLast(() => true)
  )
}
