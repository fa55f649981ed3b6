/**
 * A test suite for the contract of a backend, which every backend can run.
 *
 * Two halves: runners without a pool, as `Backend.launch` makes them, and calls through a pool on the backend.
 */
import * as Assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { Backend } from "../backend/Backend.ts"
import type { IsGone, Test } from "./Conformance.ts"
import * as CallConformance from "./CallConformance.ts"
import * as RunnerConformance from "./RunnerConformance.ts"

/**
 * The test framework's functions, and the backend under test.
 *
 * @since 0.1.0
 * @category testing
 */
export interface ConformanceOptions<E> {
  /** Groups tests: `describe` of vitest or of `node:test`. */
  readonly describe: (name: string, body: () => void) => void
  /** Registers a test with its limit in milliseconds: `it` of vitest, or a wrapper of `node:test`. */
  readonly it: (name: string, test: () => Promise<void>, limit: number) => void
  /** The backend. Its runners serve `conformanceFunctions`. */
  readonly layer: Layer.Layer<Backend, E>
  /** The backend with runners that live but never connect. Without it the tests of such runners are left out. */
  readonly silent?: Layer.Layer<Backend, E>
  /** The backend with runners that end before they serve. Without it the tests of such runners are left out. */
  readonly ending?: Layer.Layer<Backend, E>
  /** Whether anything is left of a runner with these labels, such as its process. Default: not checked. */
  readonly remains?: (labels: Readonly<Record<string, string>>) => boolean | Promise<boolean>
  /** Limit of one test in milliseconds. Default 30 000. Boots of some backends take longer. */
  readonly limit?: number
}

/**
 * Registers the tests of a backend.
 *
 * @example
 * ```ts
 * import { backendConformance } from "effect-flame/testing"
 * import { describe, it } from "vitest"
 * import type { Layer } from "effect"
 * import type { Backend } from "effect-flame"
 *
 * declare const MyBackend: Layer.Layer<Backend>
 *
 * // the entry of its runners: FlameRunner.serve(conformanceFunctions).pipe(Flame.runMain)
 * backendConformance("MyBackend", { describe, it, layer: MyBackend })
 * ```
 *
 * @since 0.1.0
 * @category testing
 */
export const backendConformance = <E>(name: string, options: ConformanceOptions<E>): void =>
  options.describe(`${name} keeps the contract of a backend`, () => {
    const limit = options.limit ?? 30_000
    const on =
      (layer: Layer.Layer<Backend, E> | undefined) =>
      (title: string, test: Test): void => {
        if (layer === undefined) return
        const quiet = Layer.merge(layer, Logger.layer([]))
        options.it(
          title,
          () => Effect.runPromise(Effect.scoped(test).pipe(Effect.provide(quiet), Effect.timeout(limit))),
          limit + 5_000
        )
      }
    const isGone: IsGone = (labels) =>
      Effect.map(
        Effect.promise(async () => options.remains?.(labels)),
        (left) => Assert.notEqual(left, true, `something is left of ${JSON.stringify(labels)}`)
      )
    RunnerConformance.runners(on(options.layer), on(options.ending), isGone)
    CallConformance.boots(on(options.layer), on(options.silent), on(options.ending))
    CallConformance.calls(on(options.layer), isGone)
  })
