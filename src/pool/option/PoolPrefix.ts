/** The prefix of a pool's environment variables, and whether any of them is set. */
import type * as Context from "effect/Context"

/** Prefix of a pool's variables: `FLAME` for the default pool, `FLAME_GPU` for `app/Gpu`. */
export const prefixOf = (pool: string): string =>
  pool === "effect-flame/Pool"
    ? "FLAME"
    : `FLAME_${pool
        .slice(pool.lastIndexOf("/") + 1)
        .replace(/[^A-Za-z0-9]+/g, "_")
        .toUpperCase()}`

/** Whether the environment, or a `ConfigProvider` of the program's own, may set options of the pool. */
export const mayBeConfigured = (pool: string, context: Context.Context<never>): boolean =>
  context.mapUnsafe.has("effect/ConfigProvider") ||
  Object.keys(process.env).some((name) => name.startsWith(`${prefixOf(pool)}_`))
