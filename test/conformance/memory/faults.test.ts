import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { LaunchFailed } from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { RunnerLost, TimedOut } from "../../../src/error/FlameError.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { Killed, OutOfMemory } from "../../../src/error/RunnerExit.ts"
import { stubborn, tidy, twice, where } from "./functions.ts"
import {
  burst,
  finish,
  isOpen,
  long,
  only,
  pass,
  poolTest,
  reason,
  settle,
  start,
  started,
  value,
  waiting
} from "./harness.ts"

const outage = (count: number) => Array.from({ length: count }, () => new LaunchFailed({ detail: "no process slots" }))

describe("faults of the original", () => {
  poolTest(
    "[C80] a runner that dies with its calls disturbs no other runner",
    { max: 2, concurrency: 2, strategy: "pack" },
    function* ({ board, events, faults, pool }) {
      const [a, b, c, d] = yield* burst("a", "b", "c", "d")
      const dying = yield* started("a")
      const mates = [a!, b!, c!, d!].filter((_, i) => board.starts[i]?.[1] === dying)
      const others = [a!, b!, c!, d!].filter((_, i) => board.starts[i]?.[1] !== dying)
      assert.lengthOf(mates, 2)
      yield* faults.lose({ id: dying })
      for (const mate of mates) assert.deepInclude(yield* reason(mate), { _tag: "RunnerLost", runner: dying })
      for (const other of others) yield* isOpen(other)
      yield* finish("a", "b", "c", "d")
      for (const other of others) assert.include(["a", "b", "c", "d"], yield* value(other))
      assert.deepStrictEqual(
        only(events, "RunnerGone").map(({ runner, why }) => [runner, why]),
        [[dying, undefined]]
      )
      assert.deepInclude((yield* pool.status).totals, { runnersLost: 1, succeeded: 2, failed: 2 })
      assert.strictEqual((yield* pool.status).state, "open")
    }
  )

  poolTest(
    "[C81] a runner that dies is replaced for the waiting calls, without any new call",
    { max: 1 },
    function* ({ board, faults }) {
      const [a, b, c] = yield* burst("a", "b", "c")
      const dying = yield* started("a")
      yield* faults.lose()
      assert.strictEqual((yield* reason(a!))._tag, "RunnerLost")
      assert.notStrictEqual(yield* started("b"), dying)
      yield* finish("b", "c")
      assert.deepStrictEqual([yield* value(b!), yield* value(c!)], ["b", "c"])
      assert.deepStrictEqual(board.order, ["a", "b", "c"])
      assert.strictEqual(yield* faults.launched, 2)
    }
  )

  poolTest(
    "[C82] a min runner that dies is replaced",
    { min: 2, awaitMin: true, crashLoopTime: 0 },
    function* ({ faults, pool, runners }) {
      const [first] = yield* faults.list
      yield* faults.lose({ id: first!.id })
      yield* settle
      assert.deepInclude(yield* pool.status, { ready: 2, booting: 0 })
      assert.strictEqual(yield* faults.launched, 3)
      yield* faults.lose()
      yield* settle
      assert.strictEqual((yield* pool.status).ready, 2)
      assert.strictEqual(yield* faults.launched, 5)
      assert.strictEqual(runners.now, 2)
    }
  )

  poolTest(
    "[C82] a min runner that is recycled after maxCalls is replaced",
    { min: 1, awaitMin: true, maxCalls: 3 },
    function* ({ events, faults, pool }) {
      const ids: Array<string> = []
      for (let i = 0; i < 6; i++) ids.push(yield* Flame.call(where))
      yield* settle
      assert.deepStrictEqual([new Set(ids.slice(0, 3)).size, new Set(ids.slice(3)).size, new Set(ids).size], [1, 1, 2])
      assert.deepStrictEqual(
        only(events, "RunnerGone").map(({ why }) => why),
        ["maxCalls", "maxCalls"]
      )
      assert.strictEqual((yield* pool.status).ready, 1)
      assert.strictEqual(yield* faults.launched, 3)
    }
  )

  poolTest(
    "[C82] a min runner that is recycled after maxLifetime is replaced, and its call is not cut",
    { min: 1, max: 2, maxLifetime: "10 minutes" },
    function* ({ events, faults, pool }) {
      const a = yield* long("a")
      const old = yield* started("a")
      yield* pass("10 minutes")
      assert.notStrictEqual(yield* Flame.call(where), old)
      yield* pass("1 hour")
      yield* isOpen(a)
      assert.notInclude(
        only(events, "RunnerGone").map(({ runner }) => runner),
        old
      )
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
      assert.deepInclude(
        only(events, "RunnerGone").find(({ runner }) => runner === old),
        { why: "maxLifetime" }
      )
      assert.strictEqual((yield* pool.status).ready, 1)
      assert.isAtLeast(yield* faults.launched, 7)
    }
  )

  poolTest(
    "[C83] a leaving runner with maxCalls 1 gets no waiting call",
    { max: 2, maxCalls: 1, concurrency: 4 },
    function* ({ board, faults }) {
      const names = Array.from({ length: 9 }, (_, i) => `w${i}`)
      const calls = yield* burst(...names)
      yield* finish(...names)
      assert.deepStrictEqual(yield* Effect.forEach(calls, value), names)
      assert.strictEqual(new Set(board.starts.map(([, runner]) => runner)).size, 9)
      assert.strictEqual(board.busiest, 1)
      assert.strictEqual(yield* faults.launched, 9)
    }
  )

  poolTest(
    "[C84] a pool grows to what its queue needs in one step after an outage of boots",
    { max: 5 },
    function* ({ events, faults }) {
      yield* faults.failBoots(...outage(5 + 5))
      yield* burst("a", "b", "c", "d", "e", "f", "g")
      const rounds = new Set<number>()
      // Enough for two pauses of at most 2 and 4 s.
      for (let i = 0; i <= 60; i++) {
        rounds.add(yield* faults.launched)
        yield* pass("100 millis")
      }
      assert.deepStrictEqual([...rounds], [5, 10, 15])
      assert.lengthOf(only(events, "BootFailed"), 10)
      assert.lengthOf(only(events, "RunnerReady"), 5)
      yield* finish("a", "b", "c", "d", "e", "f", "g")
      assert.strictEqual(yield* faults.launched, 15)
    }
  )

  poolTest(
    "[C85] a call ends at its timeout while its runner boots",
    { before: (faults) => faults.delayBoots("1 hour"), bootTimeout: "2 hours" },
    function* ({ pool }) {
      const a = yield* waiting("a", { timeout: "7 seconds" })
      const [booting] = (yield* pool.status).runners
      yield* pass("6999 millis")
      yield* isOpen(a)
      yield* pass("1 millis")
      const waitsFor = "it is being launched"
      assert.deepStrictEqual(
        yield* reason(a),
        new TimedOut({
          pool: Pool.key,
          function: "work",
          phase: "booting",
          after: 7_000,
          runner: booting!.id,
          waitsFor
        })
      )
    }
  )

  poolTest(
    "[C106] calls that time out together all carry the same phase and the reason why no runner was ready",
    { max: 1, before: (faults) => faults.failBoots(...outage(9)) },
    function* () {
      const calls = [yield* waiting("a", { timeout: "3 seconds" }), yield* waiting("b", { timeout: "3 seconds" })]
      yield* pass("3 seconds")
      for (const call of calls) {
        const why = yield* reason(call)
        assert.deepInclude(why, {
          _tag: "TimedOut",
          phase: "booting",
          cause: new LaunchFailed({ detail: "no process slots" })
        })
        assert.include(why.message, "the last boot failed: it could not be started: no process slots")
      }
    }
  )

  poolTest(
    "[C105] a call that could run at once boots a runner, where queueCapacity and min are 0",
    { max: 1, queueCapacity: 0 },
    function* () {
      const [a, b] = yield* burst("a", "b")
      assert.strictEqual((yield* reason(b!))._tag, "QueueFull")
      yield* started("a")
      yield* finish("a")
      assert.strictEqual(yield* value(a!), "a")
    }
  )

  poolTest(
    "[C85] a call has one budget for waiting, booting and running together",
    { max: 1, before: (faults) => faults.delayBoots("2 seconds") },
    function* ({ faults }) {
      yield* waiting("a")
      const b = yield* waiting("b", { timeout: "7 seconds" })
      yield* pass("4 seconds")
      yield* started("a")
      const lost = yield* started("a")
      yield* faults.lose()
      // 2 s boot, 2 s queue, 2 s boot, 1 s run.
      yield* pass("2 seconds")
      const runner = yield* started("b")
      assert.notStrictEqual(runner, lost)
      yield* pass("999 millis")
      yield* isOpen(b)
      yield* pass("1 millis")
      assert.deepStrictEqual(
        yield* reason(b),
        new TimedOut({ pool: Pool.key, function: "work", runner, phase: "running", after: 7_000 })
      )
    }
  )

  poolTest(
    "[C85] a call that ignores interruption still fails for its caller at its timeout",
    {},
    function* ({ board }) {
      const a = yield* start(Flame.call(stubborn, { name: "a" }, { timeout: "1 second" }))
      yield* started("a")
      yield* pass("1 second")
      assert.strictEqual((yield* reason(a))._tag, "TimedOut")
      assert.isTrue(board.running.has("a"))
      yield* finish("a")
    }
  )

  const budgeted = Flame.contract("budgeted", { timeout: "3 seconds" })
  poolTest(
    "[C85] a call has its own timeout, else the function's, else the pool's",
    {
      timeout: "5 seconds",
      serve: [Flame.implement(budgeted, () => Effect.never), Flame.fn("plain", {}, () => Effect.never)]
    },
    function* () {
      const plain = Flame.contract("plain", {})
      const calls = [
        yield* start(Flame.call(plain, undefined, { timeout: "1 second" })),
        yield* start(Flame.call(budgeted, undefined, { timeout: "2 seconds" })),
        yield* start(Flame.call(budgeted)),
        yield* start(Flame.call(plain)),
        yield* start(Flame.call(plain, undefined, { timeout: "6 seconds" }))
      ]
      for (const [i, after] of [1, 2, 3, 5, 6].entries()) {
        yield* pass(i === 3 ? 1_999 : 999)
        yield* isOpen(calls[i]!)
        yield* pass(1)
        assert.deepInclude(yield* reason(calls[i]!), { _tag: "TimedOut", phase: "running", after: after * 1_000 })
      }
    }
  )

  poolTest(
    "[C85] a call with an infinite timeout never times out, in a pool that has a timeout",
    { timeout: "1 second" },
    function* () {
      const a = yield* long("a", { timeout: "Infinity" })
      yield* pass("1 hour")
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
    }
  )

  const hooks = (hook: Effect.Effect<void, unknown>) => ({ max: 2, afterBoot: () => hook, onRunnerLost: () => hook })
  for (const [how, hook] of [
    ["never end", Effect.never],
    ["fail", Effect.fail(new Error("mail server is down"))],
    ["die", Effect.die(new Error("a bug"))],
    ["interrupt themselves", Effect.interrupt]
  ] as const) {
    poolTest(
      `[C86] a call is neither delayed nor failed by afterBoot and onRunnerLost that ${how}`,
      hooks(hook),
      function* ({ faults }) {
        assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
        const a = yield* long("a")
        yield* faults.lose()
        assert.strictEqual((yield* reason(a))._tag, "RunnerLost")
        assert.strictEqual(yield* Flame.call(twice, { n: 2 }), 4)
      }
    )
  }

  poolTest(
    "[C86] a call is neither delayed nor failed by hooks that throw",
    {
      afterBoot: () => {
        throw new Error("a bug")
      },
      onRunnerLost: () => {
        throw new Error("a bug")
      }
    },
    function* ({ faults, logs }) {
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
      yield* faults.lose()
      yield* settle
      assert.strictEqual(yield* Flame.call(twice, { n: 2 }), 4)
      const told = logs.filter((line) => line.includes("a bug"))
      assert.lengthOf(told, 3)
      for (const [i, hook] of ["afterBoot", "onRunnerLost", "afterBoot"].entries()) {
        assert.match(told[i]!, new RegExp(`^Warn ${hook} of pool ${Pool.key} failed for runner .* Error: a bug`, "s"))
      }
    }
  )

  const slow: Array<string> = []
  poolTest(
    "[C86] a slow beforeBoot delays its own boot only",
    {
      max: 2,
      beforeBoot: (runner) => Effect.suspend(() => (slow.push(runner) === 1 ? Effect.sleep("30 seconds") : Effect.void))
    },
    function* ({ board }) {
      const [a, b] = yield* burst("a", "b")
      // The other boot is ready at once, and its runner serves both calls.
      assert.deepStrictEqual(board.order, ["a"])
      yield* finish("a", "b")
      assert.deepStrictEqual([yield* value(a!), yield* value(b!)], ["a", "b"])
      assert.strictEqual(new Set(board.starts.map(([, runner]) => runner)).size, 1)
      yield* pass("30 seconds")
    }
  )

  const lost: Array<string> = []
  poolTest(
    "[C86] onRunnerLost runs for lost runners, not for runners that were told to end",
    {
      maxCalls: 2,
      onRunnerLost: (runner, exit) => Effect.sync(() => lost.push(`${runner}: ${exit.reason._tag}, gone ${exit.gone}`))
    },
    function* ({ faults, runners }) {
      const first = yield* Flame.call(where)
      yield* faults.lose({ exit: new OutOfMemory({ limit: "512Mi" }) })
      yield* settle
      const second = yield* Flame.call(where)
      assert.strictEqual(yield* Flame.call(where), second)
      yield* settle
      assert.strictEqual(runners.now, 0)
      assert.deepStrictEqual(lost, [`${first}: OutOfMemory, gone true`])
    }
  )

  poolTest(
    "[C87] an app goes on when one min boot fails",
    { min: 2, before: (faults) => faults.failBoots(...outage(1)) },
    function* ({ events, pool }) {
      yield* settle
      assert.lengthOf(only(events, "BootFailed"), 1)
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
      yield* pass("2 seconds")
      assert.deepInclude(yield* pool.status, { ready: 2, booting: 0 })
    }
  )

  poolTest(
    "[C89] a boot timeout, a failed create, an out of memory and a SIGKILL leave nothing behind",
    { max: 1, bootTimeout: "5 seconds" },
    function* ({ faults, runners }) {
      yield* faults.muteBoots(true)
      const muted = yield* waiting("a")
      yield* pass("5 seconds")
      assert.strictEqual((yield* reason(muted))._tag, "BootFailed")
      assert.strictEqual(runners.now, 0)
      yield* pass("2 seconds")
      yield* faults.muteBoots(false)
      yield* faults.failBoots(...outage(1))
      const b = yield* waiting("b")
      yield* pass("2 seconds")
      yield* settle
      assert.strictEqual(runners.now, 0)
      yield* pass("4 seconds")
      const first = yield* started("b")
      yield* faults.lose({ exit: new OutOfMemory({}) })
      assert.deepStrictEqual(
        yield* reason(b),
        new RunnerLost({
          pool: Pool.key,
          function: "work",
          runner: first,
          exit: new OutOfMemory({}),
          mayHaveRun: true,
          gone: true
        })
      )
      yield* settle
      assert.strictEqual(runners.now, 0)
      const c = yield* start(Flame.call(tidy, { name: "c" }))
      const second = yield* started("c")
      yield* faults.lose()
      assert.deepStrictEqual(
        yield* reason(c),
        new RunnerLost({
          pool: Pool.key,
          function: "tidy",
          runner: second,
          exit: new Killed({ signal: "SIGKILL" }),
          mayHaveRun: true,
          gone: true
        })
      )
      yield* settle
      assert.strictEqual(runners.now, 0)
      assert.deepStrictEqual(yield* faults.list, [])
      yield* finish("c")
      yield* Fiber.await(c)
    }
  )
})
