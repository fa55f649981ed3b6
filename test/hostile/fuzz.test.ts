import { assert, describe, it } from "@effect/vitest"
import { thorough } from "../fixtures/thorough.ts"
import { fuzz, type Fuzzer } from "./Fuzz.ts"

/** 200 000 in all in CI, a tenth of that here. `npm run fuzz -- --runs 10000000` does more. */
const runs: Readonly<Record<Fuzzer, number>> = {
  "a runner": 25_000,
  "its parent": 25_000,
  decoders: 100_000,
  "first flights": 50_000
}

describe("what a peer sends, changed at random", () => {
  for (const [name, all] of Object.entries(runs) as ReadonlyArray<[Fuzzer, number]>) {
    it(`never throws in ${name}, never stalls, and memory stays flat [C217]`, () => {
      const count = thorough ? all : all / 10
      const { ended, growth, worst } = fuzz(name, count)
      assert.isAbove(ended, count / 5)
      assert.isBelow(worst, 250)
      assert.isBelow(growth, 200 * 1024 * 1024)
    }, 180_000)
  }
})
