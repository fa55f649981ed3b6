/** Pure: variables `FLAME_*` that set options of pools: whether they parse, and whether the options take their values. */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { PoolOptions } from "../../pool/option/PoolOptions.ts"
import { resolve } from "../../pool/option/PoolSettings.ts"
import * as PoolEnvironment from "../../pool/option/PoolEnvironment.ts"
import * as RoleVariables from "../../process/RoleVariables.ts"
import { type Check, fail, ok, warn } from "./Check.ts"
import type { Workload } from "./Parent.ts"

/** Variables that set no option of a pool. */
const others: ReadonlySet<string> = new Set(["FLAME_ADVERTISE", "FLAME_BUILD", "FLAME_INSTANCE"])

const prefix = "FLAME_"

/** The variables of a parent that could be read, and a check for each of the others. */
export interface Variables {
  readonly values: Readonly<Record<string, string | undefined>>
  readonly unread: ReadonlyArray<Check>
}

/** Whether the name is that of a variable for an option of a pool. */
export const isOption = (name: string): boolean =>
  name.startsWith(prefix) && !others.has(name) && !RoleVariables.isVariable(name)

/** The pools that a variable may be of: the default pool, then `A` and `A_B` for `FLAME_A_B_MAX`. */
const poolsOf = (name: string): ReadonlyArray<string> => {
  const words = name.slice(prefix.length).split("_")
  return ["effect-flame/Pool", ...words.slice(0, -1).map((_, at) => words.slice(0, at + 1).join("_"))]
}

/** The message of a schema without its name, and without the path, which is the variable. */
const wordsOf = (message: string): string =>
  message.replace(/^SchemaError\((.*)\)$/s, "$1").replace(/\s+at \[[^\]]*\]$/, "")

type Read = { readonly pool: string; readonly result: Result.Result<PoolOptions<never>, string> }

/** The options that one pool reads from one variable. Undefined if the variable is no option of the pool. */
const readBy = (pool: string, name: string, value: string): Read | undefined => {
  const provider = ConfigProvider.fromEnv({ env: { [name]: value } })
  const result = Effect.runSync(
    Effect.result(Effect.provideService(PoolEnvironment.fromConfig(pool), ConfigProvider.ConfigProvider, provider))
  )
  if (Result.isFailure(result)) return { pool, result: Result.fail(wordsOf(result.failure.message)) }
  return Object.keys(result.success).length === 0 ? undefined : { pool, result: Result.succeed(result.success) }
}

const read = (name: string, value: string): Read | undefined => {
  for (const pool of poolsOf(name)) {
    const found = readBy(pool, name, value)
    if (found !== undefined) return found
  }
  return undefined
}

const fixOf = (name: string, to: string | undefined, workload: Workload | undefined, namespace: string): string =>
  workload === undefined || workload.kind === "pod"
    ? to === undefined
      ? `unset ${name}`
      : `export ${name}=${to}`
    : `kubectl set env ${workload.kind}/${workload.name} -n ${namespace} ${name}${to === undefined ? "-" : `=${to}`}`

/** A value that an option takes, by its name. */
const exampleOf = (name: string): string =>
  /(TIMEOUT|TIME_TO_LIVE|LIFETIME|GRACE|LIMIT|PATIENCE|TIME)$/.test(name)
    ? "'30 seconds'"
    : name.endsWith("STRATEGY")
      ? "spread"
      : name.endsWith("LOG_LEVEL")
        ? "Info"
        : name.endsWith("AWAIT_MIN")
          ? "true"
          : "1"

const shown = (value: string): string => JSON.stringify(value.length > 40 ? `${value.slice(0, 37)}...` : value)

/** The checks of a program's variables, and of those that could not be read. */
export const checks = (
  { unread, values }: Variables,
  workload: Workload | undefined,
  namespace: string
): ReadonlyArray<Check> => {
  const all = Object.entries(values).flatMap(([name, value]) =>
    value === undefined || !isOption(name) ? [] : [[name, value] as const]
  )
  const pools = new Map<string, { options: Record<string, unknown>; names: Array<string> }>()
  const found: Array<Check> = []
  for (const [name, value] of all) {
    const what = read(name, value)
    if (what === undefined) {
      found.push(
        warn("variables", `${name} is no option of a pool, so that nobody reads it`, {
          fix: `correct its name, or remove it: ${fixOf(name, undefined, workload, namespace)}`
        })
      )
    } else if (Result.isFailure(what.result)) {
      const why = what.result.failure.replaceAll(/\s+/g, " ")
      const fix = { fix: fixOf(name, exampleOf(name), workload, namespace) }
      found.push(fail("variables", `${name}=${shown(value)} does not parse: ${why}`, fix))
    } else {
      const known = pools.get(what.pool) ?? { options: {}, names: [] }
      Object.assign(known.options, what.result.success)
      known.names.push(name)
      pools.set(what.pool, known)
    }
  }
  for (const { names, options } of pools.values()) {
    const problem = problemOf(options)
    if (problem !== undefined) {
      const named = names.find((name) => problem.option.test(name)) ?? names[0]!
      const fix = { fix: fixOf(named, exampleOf(named), workload, namespace) }
      found.push(fail("variables", `${names.join(", ")}: ${problem.message}`, fix))
    }
  }
  const good = [...pools.values()].flatMap(({ names }) => names)
  if (found.length > 0) return [...found, ...unread]
  // Variables that could not be read may set options.
  if (good.length === 0 && unread.length > 0) return unread
  return [
    ok(
      "variables",
      good.length === 0 ? "no variable FLAME_* sets an option" : `${good.join(", ")}: set options of pools`
    ),
    ...unread
  ]
}

/** The message with which a pool would reject these options, and the variables of the option that the message names. */
const problemOf = (
  options: Record<string, unknown>
): { readonly message: string; readonly option: RegExp } | undefined => {
  try {
    resolve(options, { bootTimeout: 0, reasonGrace: 0 })
    return undefined
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    const option = /the pool option (\w+)/.exec(message)?.[1] ?? ""
    return { message, option: new RegExp(`${option.replaceAll(/[A-Z]/g, "_$&").toUpperCase()}$`) }
  }
}

/** The number that variables give for the default pool's `max`. */
export const maxOf = (variables: Readonly<Record<string, string | undefined>>): number | undefined => {
  const value = Number(variables["FLAME_MAX"] ?? NaN)
  return Number.isSafeInteger(value) ? value : undefined
}
