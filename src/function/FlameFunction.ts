/**
 * A function: a declared piece of the app that may run elsewhere.
 *
 * Here are its types and the value behind them; `Flame.fn`, `Flame.contract` and `Flame.implement` give it the
 * default pool. Nothing is registered anywhere: a runner serves the functions that it is given.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isPrintable } from "../error/PeerText.ts"
import { checkCopy, checkNode } from "./Requirements.ts"
import { fingerprint, refusal } from "../schema/SchemaLayout.ts"

import type {
  AnyFunction,
  AnyImplemented,
  AnyPool,
  Code,
  Contract,
  DeclaredFunction,
  Implemented,
  Needs,
  PoolKey,
  SchemaOf,
  Streaming
} from "./FunctionTypes.ts"

export type * from "./FunctionTypes.ts"

/**
 * The `maxValue` of a procedure of an RpcGroup, in bytes; undefined for the default, 32 MiB.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { Flame } from "effect-flame"
 *
 * const report = Rpc.make("report", { success: Schema.Array(Schema.String) }).annotate(Flame.MaxValue, 256 * 1024 * 1024)
 * ```
 *
 * @since 0.1.0
 * @category limits
 */
export const MaxValue: Context.Reference<number | undefined> = Context.Reference<number | undefined>(
  "effect-flame/Flame/MaxValue",
  { defaultValue: () => undefined }
)

const sides = ["payload", "success", "error"] as const

/** Suffix of the layout of a streaming function. */
const streaming = ["stream"] as const

/**
 * Whether a layout is that of a streaming function.
 *
 * @since 0.1.0
 * @category models
 */
export const isStreaming = (layout: string): boolean => layout.endsWith(`-${streaming[0]}`)

/**
 * Whether a layout is that of a placed service.
 *
 * @since 0.1.0
 * @category models
 */
export const isPlaced = (layout: string): boolean => layout.endsWith("-service")

/**
 * Names the schemas that differ between two layouts of one function, for the error message.
 *
 * @since 0.1.0
 * @category models
 */
export const differingSides = (layout: string, other: string): ReadonlyArray<(typeof sides)[number]> => {
  const theirs = other.split("-")
  return layout.split("-").flatMap((side, index) => (side === theirs[index] ? [] : (sides[index] ?? [])))
}

/**
 * The longest name of a function, in characters.
 *
 * @since 0.1.0
 * @category models
 */
export const maxNameLength = 200

/**
 * Declares a function; throws when its name or one of its schemas cannot be used.
 *
 * @since 0.1.0
 * @category models
 */
export const make: <
  const Name extends string,
  P extends Schema.Top | Schema.Struct.Fields,
  S extends Schema.Top,
  E extends Schema.Top,
  PoolId extends AnyPool,
  const St extends boolean = false
>(
  name: Name,
  contract: Contract<P, S, E, PoolId> & Streaming<St> & { readonly pool: PoolKey<PoolId> }
) => DeclaredFunction<St, Name, SchemaOf<P>, S, E, PoolId> = (
  name: string,
  contract: Contract<Schema.Top | Schema.Struct.Fields, Schema.Top, Schema.Top, AnyPool> &
    Streaming<boolean> & { readonly pool: PoolKey<AnyPool> }
): never => {
  checkNode()
  checkName(name)
  const fn = new Declared(
    name,
    schemaOf(contract.payload),
    contract.success ?? Schema.Void,
    contract.error ?? Schema.Never,
    contract.pool,
    millis(contract.timeout),
    contract.idempotent === true,
    contract.stream === true,
    checkMaxValue(name, contract.maxValue),
    undefined
  )
  for (const side of sides) checkCopy(name, fn[side])
  refuseUntyped(fn)
  return fn as never
}

/**
 * Gives a declared function its code, in a module that only runners load. The result is the same function, to call and to
 * serve.
 *
 * Services that the code needs are built on the runner; a pool, a `Scope` and `FlameRunner.Current` are there already.
 * Nothing is registered: a runner serves the functions that `Flame.main` or `FlameRunner.serve` gets.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame, FlameRunner } from "effect-flame"
 *
 * // what the parent imports
 * const square = Flame.contract("square", { payload: { n: Schema.Int }, success: Schema.Int })
 *
 * // what the runner's entry runs
 * const squareLive = Flame.implement(square, ({ n }) => Effect.succeed(n * n))
 * FlameRunner.serve([squareLive]).pipe(Flame.runMain)
 * ```
 *
 * @since 0.1.0
 * @category declaring
 */
export const implement: <
  Name extends string,
  P extends Schema.Top,
  S extends Schema.Top,
  E extends Schema.Top,
  PoolId extends AnyPool,
  R,
  St extends boolean
>(
  contract: AnyFunction & {
    readonly name: Name
    readonly payload: P
    readonly success: S
    readonly error: E
    readonly pool: PoolKey<PoolId>
    readonly stream: St
  },
  implementation: (payload: P["Type"]) => Code<St, S, E, R>
) => DeclaredFunction<St, Name, P, S, E, PoolId> & Implemented<Needs<R, P, S, E>> = (
  contract: AnyFunction,
  implementation: (payload: never) => unknown
): never =>
  new Declared(
    contract.name,
    contract.payload,
    contract.success,
    contract.error,
    contract.pool,
    contract.timeout,
    contract.idempotent,
    contract.stream,
    contract.maxValue,
    contract.stream ? effectOf(implementation) : (implementation as AnyImplemented["implementation"])
  ) as never

/** A stream, or an effect that makes it, as the latter. */
const effectOf =
  (code: (payload: never) => unknown): AnyImplemented["implementation"] =>
  (payload) => {
    const made = code(payload as never)
    return Effect.isEffect(made) ? made : Effect.succeed(made)
  }

class Declared implements AnyFunction {
  readonly name: string
  readonly payload: Schema.Top
  readonly success: Schema.Top
  readonly error: Schema.Top
  readonly pool: PoolKey<AnyPool>
  readonly timeout: number | undefined
  readonly idempotent: boolean
  readonly stream: boolean
  readonly maxValue: number | undefined
  readonly implementation: AnyImplemented["implementation"] | undefined
  #layout: string | undefined

  constructor(
    name: string,
    payload: Schema.Top,
    success: Schema.Top,
    error: Schema.Top,
    pool: PoolKey<AnyPool>,
    timeout: number | undefined,
    idempotent: boolean,
    stream: boolean,
    maxValue: number | undefined,
    implementation: AnyImplemented["implementation"] | undefined
  ) {
    this.name = name
    this.payload = payload
    this.success = success
    this.error = error
    this.pool = pool
    this.timeout = timeout
    this.idempotent = idempotent
    this.stream = stream
    this.maxValue = maxValue
    this.implementation = implementation
  }

  // Computed when a runner connects, not at the declaration: a suspended schema may not exist yet.
  get layout(): string {
    return (this.#layout ??= [...sides.map((side) => fingerprint(this[side])), ...(this.stream ? streaming : [])].join(
      "-"
    ))
  }
}

const checkName = (name: string): void => {
  if (typeof name !== "string" || name === "") throw new Error("a function needs a name that is not empty")
  if (name.length > maxNameLength) {
    throw new Error(
      `the name of function ${JSON.stringify(name.slice(0, 40))}... has ${name.length} characters, at most ${maxNameLength} are allowed`
    )
  }
  if (!isPrintable(name))
    throw new Error(`the name of function ${JSON.stringify(name)} has control characters: leave them out`)
}

/** Throws if a `maxValue` is no number of bytes. */
export const checkMaxValue = (name: string, maxValue: number | undefined): number | undefined => {
  if (maxValue === undefined || (Number.isSafeInteger(maxValue) && maxValue > 0)) return maxValue
  throw new Error(`maxValue of function ${name} is ${maxValue}: it is a number of bytes, a whole number above 0`)
}

const refuseUntyped = (fn: AnyFunction): void => {
  for (const side of sides) {
    const untyped = refusal(fn[side], side)
    if (untyped !== undefined) throw new Error(`function ${fn.name}: ${untyped}`)
  }
}

const schemaOf = (payload: Schema.Top | Schema.Struct.Fields | undefined): Schema.Top =>
  payload === undefined ? Schema.Void : Schema.isSchema(payload) ? payload : Schema.Struct(payload)

const millis = (timeout: Duration.Input | undefined): number | undefined => {
  if (timeout === undefined) return undefined
  const value = Duration.toMillis(Duration.fromInputUnsafe(timeout))
  return Number.isFinite(value) ? value : undefined
}
