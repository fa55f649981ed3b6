/** Registers the tests of streams, groups and placed services on a backend, and watches the runners of that backend. */
import * as Assert from "node:assert/strict"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Backend, type RunnerProcess } from "../../src/backend/Backend.ts"
import * as FlameError from "../../src/error/FlameError.ts"

export interface SuiteOptions<E> {
  /** `describe` of vitest, or a stand-in. */
  readonly describe: (name: string, body: () => void) => void
  /** `it` of vitest, or a stand-in. The limit is in milliseconds. */
  readonly it: (name: string, test: () => Promise<void>, limit: number) => void
  /** The backend. Its runners serve the functions of the suite. */
  readonly layer: Layer.Layer<Backend, E>
  /** Limit of one test in milliseconds. Default 60 000. */
  readonly limit?: number
}

/** Registers one test on the backend, without its logs. */
export const testOn =
  <E>({ it, layer, limit = 60_000 }: SuiteOptions<E>) =>
  (title: string, body: Effect.Effect<void, unknown, Backend>): void => {
    const quiet = Layer.merge(layer, Logger.layer([]))
    it(title, () => Effect.runPromise(body.pipe(Effect.provide(quiet), Effect.timeout(limit))), limit + 5_000)
  }

/** Collects the runners that a backend launches while `use` runs, for a test that ends a runner. */
export const watched = <A, E, R>(use: (runners: ReadonlyArray<RunnerProcess>) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Backend, (backend) => {
    const launched: Array<RunnerProcess> = []
    const launch: typeof backend.launch = (spec) =>
      Effect.tap(backend.launch(spec), (runner) => Effect.sync(() => launched.push(runner)))
    return Effect.provideService(use(launched), Backend, { ...backend, launch })
  })

export const reasonOf = (exit: Exit.Exit<unknown, unknown>): FlameError.FlameError["reason"] => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  Assert.ok(error instanceof FlameError.FlameError, `it ended with ${String(error)}`)
  return error.reason
}

export const upTo = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => i + 1)
