import { assert, describe, it } from "@effect/vitest"
import { bootstrapText } from "../../src/code/BootstrapText.ts"
import * as RunnerProgram from "../../src/code/RunnerProgram.ts"
import { makeText } from "../../scripts/bootstrap.ts"

describe("the bootstrap of a runner", () => {
  it("is the built text of its sources: run `node scripts/bootstrap.ts` after a change [C255]", async () => {
    assert.strictEqual(bootstrapText, await makeText())
  })

  it("fits into the arguments of a container, contains no code of effect, and is ASCII [C255]", () => {
    assert.isBelow(bootstrapText.length, 20_000)
    assert.notMatch(bootstrapText, /effect\/|[^\n -~]/)
  })

  it("is started with the hash of the code and the arguments of the program", () => {
    const args = RunnerProgram.nodeArguments({ hash: "abc" }, ["--verbose"])
    assert.deepStrictEqual(args.slice(-4), ["-e", bootstrapText, "abc", "--verbose"])
    assert.match(RunnerProgram.stockImage().image, /^node:\d+-slim$/)
  })
})
