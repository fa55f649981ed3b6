import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { CommandFailed } from "../../src/cli/cluster/CommandFailed.ts"
import type { Found } from "../../src/cli/Finding.ts"
import { logs } from "../../src/cli/LogsCommand.ts"
import type { Wanted } from "../../src/cli/LogSources.ts"
import * as Documents from "./kit/Documents.ts"
import * as Output from "./kit/Output.ts"

const wanted: Wanted = { runners: [], follow: false, function: undefined, since: undefined, pods: false }

/** A parent that does not answer, with runners of these pods. Their logs are empty. */
const foundOf = (...pods: ReadonlyArray<string>): Found => {
  const runners = pods.map((pod) => Documents.podRunner(pod))
  const view = { parent: "p", name: "p", isInCluster: false, lives: [], runners }
  const found: Found = {
    parents: [Documents.parent({ document: undefined, view })],
    where: { namespace: "shop", server: "https://memory", now: 0 },
    cluster: { logs: () => Stream.empty } as never,
    again: () => Effect.succeed(found)
  }
  return found
}

const refusalOf = (runner: string, found: Found) =>
  Effect.map(Effect.flip(logs(found, { ...wanted, runners: [runner] }, false)), (error) => {
    assert.instanceOf(error, CommandFailed)
    return [error.status, error.message]
  })

describe("logs of a runner that is not there [C481]", () => {
  it.effect("fail, and name the runners whose names begin so", () =>
    Effect.gen(function* () {
      const [status, message] = yield* refusalOf("app-1", foundOf("app-10", "app-11", "other"))
      assert.strictEqual(status, 1)
      assert.match(String(message), /no runner app-1 is there now.*did you mean app-10, app-11\?$/)
    })
  )

  it.effect("fail with the command that shows the runners, where no name is similar", () =>
    Effect.gen(function* () {
      const [, message] = yield* refusalOf("gpu", foundOf("app-10"))
      assert.match(String(message), /effect-flame ps shows the runners$/)
    })
  )

  it.effect("succeed without lines for a runner that has written nothing, and say so beside the output", () =>
    Effect.gen(function* () {
      const printed = yield* Output.printedBy(logs(foundOf("app-10"), { ...wanted, runners: ["app-10"] }, false))
      assert.isTrue(Exit.isSuccess(printed.exit))
      assert.strictEqual(printed.stdout, "")
      assert.match(printed.stderr, /no line is kept/)
    })
  )
})
