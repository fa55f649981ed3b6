import { spawn, spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  type BootFailure,
  EntryMissing,
  InvalidSpec,
  NeverConnected,
  NotARunner,
  ProcessExited,
  ServicesFailed,
  VersionMismatch
} from "../../../src/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { BootFailed, FunctionMissing } from "../../../src/FlameError.ts"
import type { LocalOptions } from "../../../src/FlameLayer.ts"
import type { Pool } from "../../../src/pool/Pool.ts"
import { variables } from "../../../src/runner/Role.ts"
import { children, exists } from "../../fixtures/conformance-process/census.ts"
import { add, place, unserved } from "../../fixtures/conformance-process/functions.ts"
import {
  compiled,
  fixture,
  leavesNothing,
  onPool,
  reasonOf,
  type Scene,
  timed
} from "../../fixtures/conformance-process/harness.ts"
import { until } from "../../fixtures/conformance-process/patience.ts"

const boots = (name: string) => fixture(`boots/${name}.ts`)

/** The cause with which the boot for a call fails. */
const causeOf = Effect.fnUntraced(function* ({ events }: Scene): Effect.fn.Return<BootFailure, never, Pool> {
  const reason = yield* reasonOf(Flame.call(add, { a: 1, b: 2 }))
  assert.instanceOf(reason, BootFailed)
  const told = yield* events.nth("BootFailed")
  assert.deepStrictEqual(told.cause, reason.cause)
  return reason.cause
})

const bootOf = (options: LocalOptions, check: (cause: BootFailure, scene: Scene) => void) =>
  onPool(options, (scene) => Effect.map(causeOf(scene), (cause) => check(cause, scene)))

/** A runner that is started by hand, without a pool: whoever holds the other end of its connection says nothing. */
const spawnRunner = (entry: URL, bootTimeout: number, parent = process.pid) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const role = { id: "lonely-1", pool: "test", life: "1", bootTimeout, drainTimeout: 1000, cancelGrace: 500 }
      const child = spawn(process.execPath, [entry.pathname], {
        env: { ...process.env, ...compiled, ...variables(role, parent) },
        stdio: ["ignore", "pipe", "pipe", "pipe"]
      })
      let said = ""
      child.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()))
      child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()))
      const exit = new Promise<{ code: number | null; signal: string | null; said: string }>((resolve) =>
        child.once("close", (code, signal) => resolve({ code, signal, said }))
      )
      return { child, exit: Effect.promise(() => exit) }
    }),
    ({ child, exit }) =>
      Effect.suspend(() => {
        child.kill("SIGKILL")
        return exit
      })
  )

describe("a boot", () => {
  it.live("[C26] [C89] that its backend refuses fails the call with that cause: no such entry, no such directory", () =>
    bootOf({ entry: boots("nowhere") }, (cause) =>
      assert.deepStrictEqual(cause, new EntryMissing({ entry: boots("nowhere").pathname }))
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
        // what the program takes by itself until it ends: the rest is ours
        const program = Effect.sync(() => spawnSync(process.execPath, [boots(entry).pathname]))
        const [, alone] = yield* timed(program)
        const [cause, took] = yield* timed(causeOf(scene))
        assert.isBelow(took, alone + 1000)
        assert.instanceOf(cause, ProcessExited)
        assert.strictEqual(cause.code, code)
        assert.match(cause.stderr, stderr)
      })
    )
  )

  it.live("whose program ends without serving says what to do", () =>
    bootOf({ entry: boots("exits") }, (cause) => {
      assert.instanceOf(cause, NotARunner)
      assert.match(
        cause.message,
        /exits\.ts ended without serving: call Flame\.main or FlameRunner\.serve.*\n {2}nothing to do here/
      )
    })
  )

  it.live("whose program talks another language is told so", () =>
    bootOf({ entry: boots("not-a-runner") }, (cause) => {
      assert.instanceOf(cause, NotARunner)
      assert.match(cause.message, /does not speak this protocol/)
    })
  )

  it.live.each(["broken-services", "broken-around"])(
    "whose services fail (%s) leaves its caller waiting, within its budget",
    (entry) =>
      onPool({ entry: boots(entry) }, ({ events }) =>
        Effect.gen(function* () {
          const call = yield* Effect.forkScoped(Flame.call(add, { a: 1, b: 2 }), { startImmediately: true })
          const { cause, transient } = yield* events.nth("BootFailed")
          assert.isUndefined(call.pollUnsafe())
          assert.instanceOf(cause, ServicesFailed)
          assert.match(cause.detail, /the database does not answer/)
          assert.isTrue(transient)
        })
      )
  )

  it.live("whose services fail is tried again, until they do not", () =>
    onPool({ entry: boots("broken-services") }, (scene) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkScoped(Flame.call(add, { a: 1, b: 2 }), { startImmediately: true })
        yield* scene.events.nth("BootFailed")
        yield* scene.stage.open
        // by itself, once the pause is over
        assert.strictEqual(yield* Fiber.join(call), 3)
        assert.isAtLeast(scene.events.of("BootStarted").length, 2)
      })
    )
  )

  it.live("[C52] [C89] over `bootTimeout` is reported, and nothing is left of its process", () =>
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

  it.live("[C52] over `bootTimeout` for its services is reported as that, and nothing is left", () =>
    bootOf({ entry: boots("slow-services"), bootTimeout: "700 millis" }, (cause) => {
      assert.instanceOf(cause, NeverConnected)
      assert.strictEqual(cause.after, 700)
      assert.match(cause.message, /its program runs but never served/)
    })
  )

  it.live("[C50] of a runner that its parent does not answer ends by itself, within its deadline", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { child, exit } = yield* spawnRunner(fixture("runner.ts"), 1500)
        // what it says is never read, and never answered
        const [{ code, said }, took] = yield* timed(exit)
        assert.strictEqual(code, 1)
        assert.isBelow(took, 1500 + 1000)
        assert.isFalse(child.killed)
        assert.match(said, /its parent did not answer/)
      })
    )
  )

  it.live("[C50] of a runner whose services take for ever ends by itself, within its deadline", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { exit } = yield* spawnRunner(boots("slow-services"), 1000)
        const [{ signal }, took] = yield* timed(exit)
        assert.strictEqual(signal, "SIGTERM")
        assert.isBelow(took, 1000 + 1000)
      })
    )
  )

  it.live("[C50] of a runner whose parent hangs up ends at once", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { child, exit } = yield* spawnRunner(fixture("runner.ts"), 60_000)
        child.stdio[3]!.destroy()
        const { code } = yield* exit
        assert.isNotNull(code)
      })
    )
  )

  it.live("[C63] of another protocol is refused, with both sides named", () =>
    bootOf({ entry: boots("other-protocol") }, (cause) => {
      assert.deepStrictEqual(cause, new VersionMismatch({ what: "protocol", parent: "1", runner: "99" }))
    })
  )

  it.live("[C63] of another layout is refused, with both sides named", () =>
    bootOf({ entry: boots("other-layout"), env: { FLAME_BUILD: "theirs" } }, (cause) => {
      assert.instanceOf(cause, VersionMismatch)
      assert.strictEqual(cause.what, "the schemas of add")
      assert.include(cause.parent, add.layout)
      assert.match(cause.runner, /^layout \S+ \(build theirs\)$/)
      assert.notInclude(cause.runner, add.layout)
    })
  )

  it.live("[C63] of another layout that is met later fails the call of that function, and no other", () =>
    onPool({ entry: boots("other-layout") }, ({ events }) =>
      Effect.gen(function* () {
        // nothing is known of `add` yet when it boots
        const { pid } = yield* Flame.call(place)
        const reason = yield* reasonOf(Flame.call(add, { a: 1, b: 2 }))
        assert.instanceOf(reason, BootFailed)
        assert.deepInclude(reason.cause, { _tag: "VersionMismatch", what: "the schemas of add" })
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
        assert.deepStrictEqual(events.of("RunnerGone"), [])
      })
    )
  )

  it.live("[C63] of a runner that does not serve a function fails that call with FunctionMissing", () =>
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

  it.live("[C63] of another build alone is only reported", () =>
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

  it.live("[C65] of an app that has runners of its own is refused by name, and starts none", () =>
    onPool({ entry: boots("bomb") }, (scene) =>
      Effect.gen(function* () {
        const cause = yield* causeOf(scene)
        assert.instanceOf(cause, NotARunner)
        const refusal = /this process was started as runner \S+, but it builds pool effect-flame\/Pool of its own/
        assert.match(cause.message, refusal)
        yield* scene.log.has(/^effect-flame: this process was started as runner/)
        yield* scene.close
        // told once, by the one process there was
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

  it.live("[C65] of a process that says it is a runner and was started by another one is refused by name", () =>
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
