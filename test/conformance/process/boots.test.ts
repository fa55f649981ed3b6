import { spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  EntryMissing,
  InvalidSpec,
  NeverConnected,
  NotARunner,
  ProcessExited,
  ServicesFailed
} from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { BootFailed } from "../../../src/error/FlameError.ts"
import { bootOf, boots, causeOf, spawnRunner } from "../../fixtures/conformance-process/boots.ts"
import { children, exists } from "../../fixtures/conformance-process/census.ts"
import { add } from "../../fixtures/conformance-process/functions.ts"
import {
  fixture,
  inPool,
  lateness,
  leavesNothing,
  onPool,
  reasonOf,
  timed
} from "../../fixtures/conformance-process/harness.ts"
import { until } from "../../fixtures/conformance-process/patience.ts"

describe("a boot", () => {
  it.live("[C26] [C89] of a missing entry or directory fails the call with that cause", () =>
    bootOf({ entry: boots("nowhere") }, (cause) =>
      assert.deepStrictEqual(
        [cause._tag, cause instanceof EntryMissing && cause.entry],
        ["EntryMissing", boots("nowhere").pathname]
      )
    ).pipe(
      Effect.andThen(
        bootOf({ cwd: "/does/not/exist" }, (cause) =>
          assert.deepStrictEqual(cause, new InvalidSpec({ detail: "its directory /does/not/exist does not exist" }))
        )
      )
    )
  )

  it.live.each([
    { what: "does not parse", entry: "syntax-error", code: 1, stderr: /SyntaxError/ },
    { what: "imports what is not there", entry: "missing-module", code: 1, stderr: /ERR_MODULE_NOT_FOUND/ },
    { what: "throws at import", entry: "throws", code: 1, stderr: /Error: the database has no name\n\s+at / },
    { what: "exits with a code", entry: "fails", code: 7, stderr: /^configuration is missing$/ }
  ])("whose program $what fails the call at once, with the end of its stderr", ({ code, entry, stderr }) =>
    onPool({ entry: boots(entry) }, (scene) =>
      Effect.gen(function* () {
        // Measures the program's own time without effect-flame, which is subtracted.
        const program = Effect.sync(() => spawnSync(process.execPath, [boots(entry).pathname]))
        const [, alone] = yield* timed(program)
        const [cause, took] = yield* timed(causeOf(scene))
        assert.isBelow(took, alone + lateness)
        assert.instanceOf(cause, ProcessExited)
        assert.strictEqual(cause.code, code)
        assert.match(cause.stderr, stderr)
      })
    )
  )

  it.live("whose program ends without serving fails with an error that says what to do", () =>
    bootOf({ entry: boots("exits") }, (cause) => {
      assert.instanceOf(cause, NotARunner)
      assert.match(
        cause.message,
        /exits\.ts ended without serving: call Flame\.main or FlameRunner\.serve.*\n {2}nothing to do here/
      )
    })
  )

  it.live("whose program writes another protocol fails with an error that says so", () =>
    bootOf({ entry: boots("not-a-runner") }, (cause) => {
      assert.instanceOf(cause, NotARunner)
      assert.match(cause.message, /does not speak this protocol/)
    })
  )

  it.live.each(["broken-services", "broken-around"])(
    "whose services fail (%s) leaves its caller waiting, within its timeout; the error says who shares them [C460]",
    (entry) =>
      onPool({ entry: boots(entry) }, ({ events }) =>
        Effect.gen(function* () {
          const call = yield* Effect.forkScoped(Flame.call(add, { a: 1, b: 2 }), { startImmediately: true })
          const { cause, transient } = yield* events.nth("BootFailed")
          assert.isUndefined(call.pollUnsafe())
          assert.instanceOf(cause, ServicesFailed)
          assert.match(cause.detail, /the database does not answer/)
          assert.deepStrictEqual(cause.otherPools, entry === "broken-services" ? ["app/Gpu"] : undefined)
          assert.isTrue(transient)
        })
      )
  )

  it.live("whose services fail is retried until they succeed", () =>
    onPool({ entry: boots("broken-services") }, (scene) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkScoped(Flame.call(add, { a: 1, b: 2 }), { startImmediately: true })
        yield* scene.events.nth("BootFailed")
        yield* scene.stage.open
        // The pool boots again after the pause, without a new call.
        assert.strictEqual(yield* Fiber.join(call), 3)
        assert.isAtLeast(scene.events.of("BootStarted").length, 2)
      })
    )
  )

  it.live("that fails for good fails a layer that waits for its `min` runners", () =>
    Effect.gen(function* () {
      const layer = inPool({ entry: boots("throws"), min: 2, max: 2, awaitMin: true }, () => Effect.void)
      const reason = yield* leavesNothing(Effect.scoped(reasonOf(layer)))
      assert.instanceOf(reason, BootFailed)
      assert.instanceOf(reason.cause, ProcessExited)
    })
  )

  it.live("[C52] [C89] over `bootTimeout` is reported, and leaves no process", () =>
    onPool({ entry: fixture("silent.ts"), bootTimeout: "500 millis" }, (scene) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkScoped(causeOf(scene), { startImmediately: true })
        const pid = yield* until(() => children().find(({ args }) => args.includes("silent.ts"))?.pid, "it runs")
        const cause = yield* Fiber.join(call)
        assert.instanceOf(cause, NeverConnected)
        assert.deepInclude(cause, { phase: "started", after: 500 })
        yield* until(() => !exists(pid), "its process is gone")
        assert.strictEqual((yield* scene.pool.status).totals.bootsFailed, 1)
      })
    )
  )

  it.live("[C52] whose services take longer than `bootTimeout` is reported with that step, and leaves nothing", () =>
    bootOf({ entry: boots("slow-services"), bootTimeout: "700 millis" }, (cause) => {
      assert.instanceOf(cause, NeverConnected)
      assert.strictEqual(cause.after, 700)
      assert.match(cause.message, /its program runs but did not serve in time/)
    })
  )

  it.live("[C50] whose parent does not answer ends by itself, within its deadline", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { child, exit } = yield* spawnRunner(fixture("runner.ts"), 1500)
        // The test never reads and never answers.
        const [{ code, said }, took] = yield* timed(exit)
        assert.strictEqual(code, 1)
        assert.isBelow(took, 1500 + lateness)
        assert.isFalse(child.killed)
        assert.match(said, /its parent did not answer/)
      })
    )
  )

  it.live("[C50] whose services never finish ends by itself, within its deadline", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { exit } = yield* spawnRunner(boots("slow-services"), 1000)
        const [{ signal }, took] = yield* timed(exit)
        assert.strictEqual(signal, "SIGTERM")
        // The deadline counts from the start of the program, which takes seconds on a busy computer.
        assert.isBelow(took, 1000 + lateness)
      })
    )
  )

  it.live("[C50] whose parent closes the connection ends at once", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { child, exit } = yield* spawnRunner(fixture("runner.ts"), 60_000)
        child.stdio[3]!.destroy()
        const { code } = yield* exit
        assert.isNotNull(code)
      })
    )
  )
})
