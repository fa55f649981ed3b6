import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { NotARunner, ProcessExited, VersionMismatch } from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { BootFailed, FunctionMissing } from "../../../src/error/FlameError.ts"
import { protocol } from "../../../src/wire/Frame.ts"
import { bootOf, boots, causeOf, spawnRunner } from "../../fixtures/conformance-process/boots.ts"
import { add, place, unserved } from "../../fixtures/conformance-process/functions.ts"
import { fixture, leavesNothing, onPool, reasonOf } from "../../fixtures/conformance-process/harness.ts"

describe("a boot", () => {
  it.live("[C63] of another protocol is refused, with both sides named", () =>
    bootOf({ entry: boots("other-protocol") }, (cause) => {
      assert.deepStrictEqual(cause, new VersionMismatch({ what: "protocol", parent: `${protocol}`, runner: "99" }))
    })
  )

  it.live("[C63] of another layout is refused, with both sides named", () =>
    bootOf({ entry: boots("other-layout"), env: { FLAME_BUILD: "theirs" } }, (cause) => {
      assert.instanceOf(cause, VersionMismatch)
      assert.strictEqual(cause.what, "the schemas of add")
      assert.include(cause.parent, add.layout)
      assert.match(cause.runner, /^layout \S+ \(build theirs\) with payload/)
      assert.notInclude(cause.runner, add.layout)
    })
  )

  it.live("[C63] of another layout of a function used later fails the calls of that function, and no others", () =>
    onPool({ entry: boots("other-layout") }, ({ events }) =>
      Effect.gen(function* () {
        // The parent does not know `add` yet when the runner boots.
        const { pid } = yield* Flame.call(place)
        const reason = yield* reasonOf(Flame.call(add, { a: 1, b: 2 }))
        assert.instanceOf(reason, BootFailed)
        assert.deepInclude(reason.cause, { _tag: "VersionMismatch", what: "the schemas of add" })
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
        assert.deepStrictEqual(events.of("RunnerGone"), [])
      })
    )
  )

  it.live("[C63] of a runner that does not serve a function fails the call with FunctionMissing", () =>
    onPool({ env: { FLAME_BUILD: "theirs" }, build: "ours" }, () =>
      Effect.gen(function* () {
        const { pid, runner } = yield* Flame.call(place)
        const pool = "effect-flame/Pool"
        assert.deepStrictEqual(
          yield* reasonOf(Flame.call(unserved)),
          new FunctionMissing({ pool, function: "unserved", runner, parentBuild: "ours", runnerBuild: "theirs" })
        )
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
      })
    )
  )

  it.live("[C63] of another build only is accepted and reported", () =>
    onPool({ env: { FLAME_BUILD: "theirs" }, build: "ours" }, ({ events }) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
        assert.strictEqual(events.of("RunnerReady")[0]?.otherBuild, "theirs")
      })
    ).pipe(
      Effect.andThen(
        onPool({}, ({ events }) =>
          Effect.gen(function* () {
            yield* Flame.call(add, { a: 1, b: 2 })
            assert.isUndefined(events.of("RunnerReady")[0]?.otherBuild)
          })
        )
      )
    )
  )

  it.live("whose runner serves two functions of one name fails for good", () =>
    bootOf({ entry: boots("same-name") }, (cause) =>
      assert.deepStrictEqual(
        cause,
        new NotARunner({ detail: "two functions of a runner have the name add: names are how calls find them" })
      )
    )
  )

  it.live(
    "[C65] of an app that builds a FlameLayer in its runners is refused by name, and starts no further process",
    () =>
      onPool({ entry: boots("bomb") }, (scene) =>
        Effect.gen(function* () {
          const cause = yield* causeOf(scene)
          assert.instanceOf(cause, NotARunner)
          const refusal = /this process was started as runner \S+, but it builds pool effect-flame\/Pool of its own/
          assert.match(cause.message, refusal)
          yield* scene.log.has(/^effect-flame: this process was started as runner/)
          yield* scene.close
          // Reported once, by the only process that was started.
          assert.strictEqual(scene.log.lines.filter(({ text }) => text.startsWith("effect-flame: ")).length, 1)
          assert.strictEqual(scene.events.of("BootStarted").length, 1)
        })
      )
  )

  it.live("[C65] of a grandchild with a copied environment is refused by name", () =>
    bootOf({ entry: boots("wrapper") }, (cause) => {
      assert.instanceOf(cause, ProcessExited)
      assert.match(cause.message, /do not pass a runner's environment on/)
    })
  )

  it.live("[C65] of a process with a runner's variables that another process started is refused by name", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { exit } = yield* spawnRunner(fixture("runner.ts"), 60_000, 1)
        const { code, said } = yield* exit
        assert.strictEqual(code, 1)
        assert.match(
          said,
          /which process 1 started, but this process was started by \d+: do not pass a runner's environment on/
        )
      })
    )
  )
})
