import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { leavesNothing } from "../../fixtures/conformance-process/harness.ts"

const sleeper = Effect.acquireRelease(
  Effect.sync(() => spawn("sleep", ["60"], { stdio: "ignore" })),
  (child: ChildProcess) =>
    Effect.callback<void>((resume) => {
      child.once("exit", () => resume(Effect.void))
      child.kill("SIGKILL")
    })
)

describe("the harness of these tests", () => {
  it.live("fails a test that leaves a process, but ignores processes that existed before", () =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const left = yield* Effect.exit(leavesNothing(Effect.provideService(sleeper, Scope.Scope, scope)))
      assert.isTrue(Exit.isFailure(left))
      yield* leavesNothing(Effect.void)
    })
  )

  it.live("fails a test that leaves a socket", () =>
    Effect.gen(function* () {
      const server = createServer()
      const listen = Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(leavesNothing(listen))))
      server.close()
    })
  )
})
