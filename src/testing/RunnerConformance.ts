/** The tests of a launched runner: its connection, labels, phases and reported end, and that it leaves nothing behind. */
import * as Assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Backend, type RunnerProcess, type RunnerSpec } from "../backend/Backend.ts"
import { connect } from "../pool/engine/Introduction.ts"
import type { RunnerHandle } from "../pool/engine/RunnerHandle.ts"
import { Exited, Killed } from "../error/RunnerExit.ts"
import { eventually, type IsGone, life, nextName, type Register } from "./Conformance.ts"
import { echo } from "./ConformanceFunctions.ts"

const nextSpec = (): RunnerSpec => ({
  id: nextName(),
  pool: "conformance",
  life,
  bootTimeout: 20_000,
  drainTimeout: 5_000,
  cancelGrace: 2_000
})

/** A runner without a pool, whose parent is the test. */
interface Launched {
  readonly spec: RunnerSpec
  readonly runner: RunnerProcess
  /** Ends its scope. */
  readonly close: Effect.Effect<void>
}

const launch: Effect.Effect<Launched, unknown, Backend | Scope.Scope> = Effect.gen(function* () {
  const spec = nextSpec()
  const scope = yield* Scope.fork(yield* Effect.scope)
  const runner = yield* Scope.provide((yield* Backend).launch(spec), scope)
  return { spec, runner, close: Scope.close(scope, Exit.void) }
})

const welcome = (
  { runner, spec }: Launched,
  expected: { readonly life?: string } = {}
): Effect.Effect<RunnerHandle, unknown> =>
  Effect.flatMap(runner.connection, (transport) =>
    connect(transport, {
      runner: spec.id,
      life: expected.life ?? spec.life,
      fingerprints: new Map(),
      cancelGrace: spec.cancelGrace,
      drainTimeout: spec.drainTimeout,
      maxPayload: 1024 * 1024,
      maxResult: 1024 * 1024
    })
  )

/** Registers the tests of runners without a pool. */
export const runners = (test: Register, onEnding: Register, isGone: IsGone): void => {
  test(
    "a runner connects and sends the Hello of the runner that was requested",
    Effect.gen(function* () {
      const launched = yield* launch
      const { hello } = yield* welcome(launched)
      Assert.equal(hello.runner, launched.spec.id)
      Assert.equal(hello.life, launched.spec.life)
      Assert.ok(
        hello.functions.some(([name]) => name === echo.name),
        "it serves conformanceFunctions"
      )
    })
  )

  test(
    "a runner has labels of its own, and reports each phase once, in order",
    Effect.gen(function* () {
      const [one, other] = [yield* launch, yield* launch]
      yield* Effect.all([welcome(one), welcome(other)], { concurrency: 2 })
      Assert.ok(Object.keys(one.runner.labels).length > 0)
      Assert.notDeepEqual(one.runner.labels, other.runner.labels)
      const order = ["bundled", "created", "scheduled", "pulled", "started", "connected", "sent"]
      // `waiting` is not a step of the boot.
      const steps = (yield* Stream.runCollect(one.runner.phases)).filter(({ name }) => name !== "waiting")
      const phases = steps.map(({ name }) => order.indexOf(name))
      Assert.ok(phases.length > 0)
      Assert.deepEqual(
        phases,
        [...new Set(phases)].toSorted((a, b) => a - b)
      )
    })
  )

  test(
    "a runner that is drained ends by itself, and every waiter gets the same exit",
    Effect.gen(function* () {
      const launched = yield* launch
      const handle = yield* welcome(launched)
      const early = yield* Effect.forkChild(launched.runner.exit, { startImmediately: true })
      handle.drain(1_000)
      const exits = [yield* Fiber.join(early), yield* launched.runner.exit, yield* launched.runner.exit]
      for (const { gone, reason } of exits) {
        Assert.ok(reason instanceof Exited && reason.code === 0, `it ${reason.message}`)
        Assert.equal(gone, true)
      }
      yield* isGone(launched.runner.labels)
    })
  )

  test(
    "a runner that is killed has an exit that says by whom",
    Effect.gen(function* () {
      const launched = yield* launch
      yield* welcome(launched)
      yield* launched.runner.kill("the suite")
      const { gone, reason } = yield* launched.runner.exit
      Assert.ok(reason instanceof Killed, `it ${reason.message}`)
      Assert.equal(reason.by, "the suite")
      Assert.equal(gone, true)
      yield* launched.close
      yield* isGone(launched.runner.labels)
    })
  )

  test(
    "a runner ends when its connection ends",
    Effect.gen(function* () {
      const launched = yield* launch
      const handle = yield* welcome(launched)
      handle.link.destroy()
      Assert.equal((yield* launched.runner.exit).gone, true)
      yield* isGone(launched.runner.labels)
    })
  )

  test(
    "a runner that is refused ends by itself",
    Effect.gen(function* () {
      const launched = yield* launch
      const refused = yield* Effect.exit(welcome(launched, { life: "another" }))
      Assert.ok(Exit.isFailure(refused))
      Assert.equal((yield* launched.runner.exit).gone, true)
    })
  )

  test(
    "the end of its scope leaves nothing of a serving runner, nor of a booting one",
    Effect.gen(function* () {
      const [serving, booting, other] = [yield* launch, yield* launch, yield* launch]
      const [handle, neighbour] = yield* Effect.all([welcome(serving), welcome(other)], { concurrency: 2 })
      yield* Effect.all([serving.close, booting.close], { concurrency: 2 })
      for (const { runner } of [serving, booting]) {
        Assert.equal((yield* runner.exit).gone, true)
        yield* isGone(runner.labels)
      }
      yield* eventually(
        Effect.sync(() => handle.link.closed),
        "the connection is closed"
      )
      Assert.equal(neighbour.link.closed, false, "another runner is not touched")
      // A second end does nothing.
      yield* serving.close
    })
  )

  test(
    "the end of its scope leaves nothing of a runner that has already ended",
    Effect.gen(function* () {
      const launched = yield* launch
      yield* welcome(launched)
      yield* launched.runner.kill("the suite")
      yield* launched.runner.kill("the suite again")
      yield* launched.runner.exit
      yield* launched.close
      yield* isGone(launched.runner.labels)
    })
  )

  onEnding(
    "the end of a runner before it serves is translated into a cause of a failed boot",
    Effect.gen(function* () {
      const { runner } = yield* launch
      const exit = yield* runner.exit
      Assert.equal(exit.gone, true)
      Assert.ok(runner.bootFailure(exit).message.length > 0)
    })
  )
}
