/**
 * The part of `@effect/vitest` that the suite of processes uses, for runtimes that vitest does not run on. `main.ts` maps the
 * import to this module, and runs what the test files register here.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

// vitest brings the package, without its types
const chai: string = "chai"
export const { assert } = await import(chai)

type Body<Args extends ReadonlyArray<unknown>> = (...args: Args) => Effect.Effect<unknown, unknown, Scope.Scope>

/** Tests in the order of their registration. */
export const tests: Array<{ readonly title: string; readonly run: () => Promise<unknown> }> = []
const titles: Array<string> = []

export const describe = (title: string, body: () => void): void => {
  titles.push(title)
  body()
  titles.pop()
}

const live = (title: string, body: Body<[]>): void => {
  tests.push({ title: [...titles, title].join(" "), run: () => Effect.runPromise(Effect.scoped(body())) })
}

const each =
  <A>(cases: ReadonlyArray<A>) =>
  (title: string, body: Body<[A]>): void =>
    cases.forEach((one) => live(title.replace(/%[sj]|\$\w+/, JSON.stringify(one)), () => body(one)))

export const it = { live: Object.assign(live, { each }) }
