import { assert, describe, it } from "@effect/vitest"
import { scaled } from "../fixtures/slowness.ts"
import { thorough } from "../fixtures/thorough.ts"
import { fuzz, type Fuzzer } from "./Fuzz.ts"

/** In CI 200 000 in all, here a tenth of that. `npm run fuzz -- --runs 10000000` runs more. */
const runs: Readonly<Record<Fuzzer, number>> = {
  "a runner": 25_000,
  "its parent": 25_000,
  decoders: 100_000,
  "first flights": 50_000
}

describe("input of a peer, changed at random", () => {
  for (const [name, all] of Object.entries(runs) as ReadonlyArray<[Fuzzer, number]>) {
    it(`never makes ${name} throw or stall, and its memory stays flat [C217]`, () => {
      const count = thorough ? all : all / 10
      const { ended, growth, worst } = fuzz(name, count)
      assert.isAbove(ended, count / 5)
      assert.isBelow(worst, scaled(250, worst))
      assert.isBelow(growth, 200 * 1024 * 1024)
    }, 600_000)
  }
})
