import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as CommandWords from "../../src/cli/CommandWords.ts"
import * as Durations from "../../src/cli/Durations.ts"
import * as Output from "./kit/Output.ts"

const manifests = (...more: ReadonlyArray<string>) => Output.run(["manifests", "--app", "shop", "-n", "prod", ...more])

describe("manifests", () => {
  for (const wrong of [
    ["--port", "0"],
    ["--port", "99999"],
    ["--replicas", "-3"],
    ["--drain-timeout", "Infinity"],
    ["--command", 'node "main.js']
  ]) {
    it.effect(`refuse ${wrong.join(" ")} with status 2, and print nothing`, () =>
      Effect.gen(function* () {
        const { status, stdout } = yield* manifests("--image", "shop:1", ...wrong)
        assert.deepStrictEqual([status, stdout], [2, ""])
      })
    )
  }

  it.effect("take the smallest port and no replica", () =>
    Effect.gen(function* () {
      const { status, stdout } = yield* manifests("--image", "shop:1", "--port", "1", "--replicas", "0", "--json")
      assert.strictEqual(status, 0)
      const deployment = JSON.parse(stdout).items.find(({ kind }: any) => kind === "Deployment")
      assert.strictEqual(deployment.spec.replicas, 0)
      assert.strictEqual(deployment.spec.template.spec.containers[0].ports[0].containerPort, 1)
    })
  )
})

it.effect("a command is split at spaces outside of quotes, as a shell splits it", () =>
  Effect.gen(function* () {
    const words = yield* CommandWords.parse(` node  -e 'a b' "c \\"d" e\\ f "" --x="y z" `)
    assert.deepStrictEqual(words, ["node", "-e", "a b", 'c "d', "e f", "", "--x=y z"])
    for (const open of ["node 'a", 'node "a', "node \\", " "]) {
      assert.isTrue(Exit.isFailure(yield* Effect.exit(CommandWords.parse(open))), open)
    }
  })
)

it.effect("a duration of a flag is finite", () =>
  Effect.gen(function* () {
    assert.strictEqual(Duration.toMillis(yield* Durations.parse("since", "90 seconds")), 90_000)
    for (const text of ["Infinity", "-5 seconds", "soon"]) {
      assert.match((yield* Effect.flip(Durations.parse("since", text))).message, /--since .* is no duration/)
    }
  })
)
