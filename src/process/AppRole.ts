/** The public view of the role of this process, as `Flame.role` and `Flame.CurrentRole`. `Role.ts` decides the role. */
import * as Context from "effect/Context"
import * as BuildName from "./BuildName.ts"
import * as Role from "./Role.ts"
import { isMaking, isSnapshot } from "./SnapshotStart.ts"

/**
 * Whether this process is a parent or a runner.
 *
 * `Refused` is a process that inherited a runner's variables, such as a worker thread of a runner: it is neither.
 *
 * @since 0.1.0
 * @category roles
 */
export type ProcessRole =
  | { readonly _tag: "Parent" }
  | {
      readonly _tag: "Runner"
      /** Name of this runner, as the parent's events, errors and logs have it. */
      readonly id: string
      /** Id of the pool that started it, such as `effect-flame/Pool`, or `app/Gpu`. */
      readonly pool: string
      /** The process or pod that started it, for people. */
      readonly parent: string
      /** Name of its build: `FLAME_BUILD`, else made of the size and time of its entry. */
      readonly build: string
    }
  | { readonly _tag: "Refused"; readonly detail: string }

const roleOf = (role: Role.Role): ProcessRole => {
  if (role._tag !== "Runner") return role
  const { id, parent, pool } = role
  return {
    _tag: "Runner",
    id,
    pool,
    parent,
    // Read from the file system only when the property is used.
    get build() {
      return BuildName.of(process.argv[1])
    }
  }
}

/** The role of the runners of a snapshot: its modules load in another process, which does not know the runner's name. */
const ofSnapshot = (): ProcessRole => {
  const started = (): Extract<ProcessRole, { readonly _tag: "Runner" }> => {
    if (isMaking()) {
      throw new Error("Flame.role tells more than _tag only in a function or a layer, if the program is in a snapshot")
    }
    return roleOf(Role.current()) as ReturnType<typeof started>
  }
  return {
    _tag: "Runner",
    get id() {
      return started().id
    },
    get pool() {
      return started().pool
    },
    get parent() {
      return started().parent
    },
    get build() {
      return started().build
    }
  }
}

/**
 * The role of this process, from the first line of user code on.
 *
 * Guards work that only a parent may do while a module loads, such as listening on a port.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http"
 * import { Flame } from "effect-flame"
 *
 * const server = createServer()
 * // a runner loads this module too, and would find the port taken
 * if (Flame.role._tag === "Parent") server.listen(3000)
 * ```
 *
 * @since 0.1.0
 * @category roles
 */
export const role: ProcessRole = isSnapshot ? ofSnapshot() : roleOf(Role.current())

/**
 * The role of this process as a service, for layers. A test provides another one.
 *
 * Needs no layer: the default is `Flame.role`. Inside the functions of `FlameLayer.test` it is the role of their runner in
 * memory.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Flame } from "effect-flame"
 *
 * const Migrations = Layer.effectDiscard(
 *   Effect.gen(function* () {
 *     const role = yield* Flame.CurrentRole
 *     if (role._tag === "Runner") return
 *     yield* Effect.log("migrating")
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category roles
 */
export const CurrentRole: Context.Reference<ProcessRole> = Context.Reference<ProcessRole>("effect-flame/CurrentRole", {
  defaultValue: () => role
})
