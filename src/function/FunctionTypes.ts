/** The types of functions: what a function declares, what its code needs, and what a caller gets. */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Current } from "./Current.ts"

declare const PoolTypeId: unique symbol

/**
 * Mark of a pool's identity. The mark tells pools from other services, and keeps pools out of the services that a runner has
 * to get.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnyPool {
  readonly [PoolTypeId]: typeof PoolTypeId
}

/**
 * The key of a pool: a class made by `Flame.PoolService`. A key of any other service does not compile in its place.
 *
 * @since 0.1.0
 * @category models
 */
export type PoolKey<PoolId extends AnyPool> = Context.Key<PoolId, unknown>

/**
 * Services that every runner provides: no app has to give them to a function.
 *
 * @since 0.1.0
 * @category models
 */
export type OnRunner = AnyPool | Scope.Scope | Current

/**
 * The schema of a payload: fields stand for a struct of these fields.
 *
 * @since 0.1.0
 * @category models
 */
export type SchemaOf<P> = P extends Schema.Top ? P : P extends Schema.Struct.Fields ? Schema.Struct<P> : never

/**
 * Services that the codecs of a function need on the runner.
 *
 * @since 0.1.0
 * @category models
 */
export type Server<P extends Schema.Top, S extends Schema.Top, E extends Schema.Top> =
  | P["DecodingServices"]
  | S["EncodingServices"]
  | E["EncodingServices"]

/**
 * Services that the codecs of a function need where the function is called.
 *
 * @since 0.1.0
 * @category models
 */
export type Client<P extends Schema.Top, S extends Schema.Top, E extends Schema.Top> =
  | P["EncodingServices"]
  | S["DecodingServices"]
  | E["DecodingServices"]

/**
 * The contract of a function: its schemas, and how it is run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Contract<
  P extends Schema.Top | Schema.Struct.Fields,
  S extends Schema.Top,
  E extends Schema.Top,
  PoolId extends AnyPool
> {
  /**
   * Fields of a struct, or any schema. Default: the function takes nothing.
   *
   * Bytes (`Schema.Uint8Array`) are read until all of them are sent. A change of their buffer before that may be sent too. If
   * the buffer is detached before that, the call fails with `InvalidPayload`. A cast copies its bytes.
   */
  readonly payload?: P
  /**
   * The schema of the result, or of an item. Default: the function gives nothing.
   *
   * A `Uint8Array` that is a whole buffer is given away with the result: do not change it afterwards. A view of a larger
   * buffer is copied before the function's next turn.
   */
  readonly success?: S
  /** The schema of the function's typed error. Default: the function cannot fail. */
  readonly error?: E
  /** The pool where the function runs, unless the call names another. Default: the default pool. */
  readonly pool?: PoolKey<PoolId>
  /** Budget of a call that names none: waiting, booting and running together. */
  readonly timeout?: Duration.Input | undefined
  /** Whether a call may simply run again when its runner is lost. Default false. */
  readonly idempotent?: boolean | undefined
  /**
   * The largest payload, result, error or item that is encoded by a schema, in bytes. Default 32 MiB, which the receiver
   * decodes in about 100 ms. Text counts by its bytes, each part of the value as 32 bytes, or as 128 to 1 024 where its schema
   * has classes or transformations. Bytes (`Schema.Uint8Array`) do not count.
   */
  readonly maxValue?: number | undefined
}

/**
 * The part of a contract that makes a function give one value, or a stream of them.
 *
 * `St` is a type parameter of one signature and not a pair of overloads. With overloads the compiler reports the mistake for
 * one of them, which may be the wrong one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Streaming<St extends boolean> {
  /** Whether the function gives a stream, of which `success` is the item. Default false. */
  readonly stream?: St | undefined
}

/**
 * The value of code whose contract declares no `success`: nothing.
 *
 * The interface is never implemented. TypeScript accepts any value in place of `void`, but none in place of this union,
 * and prints its name where code gives a value that nobody would get.
 *
 * @since 0.1.0
 * @category models
 */
export type NothingWithoutSuccess = void | DeclareSuccessInTheContract
interface DeclareSuccessInTheContract {
  readonly "~success": never
}

/**
 * The value that the code of a function must return: the type of `success`, or nothing.
 *
 * @since 0.1.0
 * @category models
 */
export type Given<S extends Schema.Top> = [S["Type"]] extends [void] ? NothingWithoutSuccess : S["Type"]

/**
 * The code of a function: answers with an Effect of one value; with `stream: true` a Stream, or an Effect that makes it.
 *
 * @since 0.1.0
 * @category models
 */
export type Code<St extends boolean, S extends Schema.Top, E extends Schema.Top, R> = [St] extends [true]
  ? Stream.Stream<S["Type"], E["Type"], R> | Effect.Effect<Stream.Stream<S["Type"], E["Type"], R>, E["Type"], R>
  : Effect.Effect<Given<S>, E["Type"], R>

/**
 * A declared function, or a streaming one.
 *
 * @since 0.1.0
 * @category models
 */
export type DeclaredFunction<
  St extends boolean,
  Name extends string,
  P extends Schema.Top,
  S extends Schema.Top,
  E extends Schema.Top,
  PoolId extends AnyPool
> = [St] extends [true] ? FlameStream<Name, P, S, E, PoolId> : FlameFunction<Name, P, S, E, PoolId>

/**
 * A function of any type, as the engine sees it.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnyFunction {
  readonly name: string
  readonly payload: Schema.Top
  readonly success: Schema.Top
  readonly error: Schema.Top
  readonly pool: PoolKey<AnyPool>
  /** Milliseconds. */
  readonly timeout: number | undefined
  readonly idempotent: boolean
  /** Whether it gives a stream, of which `success` is the item. */
  readonly stream: boolean
  /** The largest value that is encoded by a schema, in bytes; undefined for the default. */
  readonly maxValue?: number | undefined
  /** Fingerprints of the schemas of its payload, success and error: the same in every process that has the same schemas. */
  readonly layout: string
}

/**
 * A declared function: what `Flame.call` takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface FlameFunction<
  in out Name extends string,
  out P extends Schema.Top,
  out S extends Schema.Top,
  out E extends Schema.Top,
  out PoolId extends AnyPool
> extends AnyFunction {
  readonly name: Name
  readonly payload: P
  readonly success: S
  readonly error: E
  readonly pool: PoolKey<PoolId>
  readonly stream: false
}

/**
 * A declared function that gives a stream: what `Flame.stream` takes. `success` is the item.
 *
 * @since 0.1.0
 * @category models
 */
export interface FlameStream<
  in out Name extends string,
  out P extends Schema.Top,
  out S extends Schema.Top,
  out E extends Schema.Top,
  out PoolId extends AnyPool
> extends AnyFunction {
  readonly name: Name
  readonly payload: P
  readonly success: S
  readonly error: E
  readonly pool: PoolKey<PoolId>
  readonly stream: true
}

/**
 * A function with its code, which needs `R` from the runner: what `Flame.main` and `FlameRunner.serve` take.
 *
 * This type has no schemas and no pool: inferring a function's own types from an intersection with them would
 * otherwise give the widest of both.
 *
 * @since 0.1.0
 * @category models
 */
export interface Implemented<out R> {
  readonly "~R": R
  readonly name: string
  readonly layout: string
  readonly stream: boolean
  /** Needs `R` and the services that every runner provides. The result is a stream if the function is declared as one. */
  readonly implementation: (payload: unknown) => Effect.Effect<unknown, unknown, unknown>
}

/**
 * A function with its code, of any type, as the engine sees it.
 *
 * @since 0.1.0
 * @category models
 */
export type AnyImplemented = Implemented<unknown>

/**
 * A function for `idleWhen`: has no payload, and says whether its runner may end.
 *
 * @since 0.1.0
 * @category models
 */
export interface IdleFunction extends AnyFunction {
  readonly payload: Schema.Void
  readonly success: Schema.Top & { readonly Type: boolean }
}

/**
 * Services that a function with these schemas still needs, if its code needs `R`.
 *
 * @since 0.1.0
 * @category models
 */
export type Needs<R, P extends Schema.Top, S extends Schema.Top, E extends Schema.Top> =
  | Exclude<R, OnRunner>
  | Server<P, S, E>
