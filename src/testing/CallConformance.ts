/** The tests of a pool on a backend: failed boots are reported, calls and their values cross, runners are replaced. */
import * as Assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import { Backend, type RunnerProcess } from "../backend/Backend.ts"
import * as Flame from "../Flame.ts"
import { FlameError, RemoteDefect } from "../error/FlameError.ts"
import { Pool } from "../pool/Pool.ts"
import type { PoolOptions } from "../pool/option/PoolOptions.ts"
import { eventually, type IsGone, nextName, type Register } from "./Conformance.ts"
import {
  collapse,
  echo,
  forward,
  hold,
  nothing,
  Point,
  read,
  Refusal,
  refuse,
  say,
  Tenant,
  whoami
} from "./ConformanceFunctions.ts"

const withPool = <A, E, R>(options: PoolOptions, use: Effect.Effect<A, E, R>) =>
  Effect.provide(use, Pool.layer({ max: 2, cancelGrace: 5_000, drainTimeout: 5_000, ...options }), { local: true })

/** Registers the tests of boots that fail. */
export const boots = (test: Register, onSilent: Register, onEnding: Register): void => {
  onSilent(
    "a boot whose runner never serves fails at its deadline, with the step that it had reached",
    Effect.gen(function* () {
      const error = yield* Effect.flip(withPool({ bootTimeout: 1_500 }, Flame.call(nothing)))
      Assert.ok(error instanceof FlameError && error.reason._tag === "BootFailed", String(error))
      Assert.equal(error.reason.cause._tag, "NeverConnected", error.message)
    })
  )

  onEnding(
    "a boot whose runner ends fails at once, with the end of the runner's output",
    Effect.gen(function* () {
      const error = yield* Effect.flip(withPool({}, Flame.call(nothing)))
      Assert.ok(error instanceof FlameError && error.reason._tag === "BootFailed", String(error))
      Assert.notEqual(error.reason.cause._tag, "NeverConnected", error.message)
    })
  )

  test(
    "a runner with another layout of a function is refused, with the function's name",
    Effect.gen(function* () {
      const other = Flame.contract(echo.name, { payload: Schema.Int })
      const error = yield* Effect.flip(withPool({}, Flame.call(other, 1)))
      Assert.ok(error instanceof FlameError && error.reason._tag === "BootFailed", String(error))
      Assert.equal(error.reason.cause._tag, "VersionMismatch", error.message)
    })
  )
}

/** Registers the tests of calls. */
export const calls = (test: Register, isGone: IsGone): void => {
  test(
    "calls return bytes, instances of classes, and nothing",
    withPool(
      { max: 1, concurrency: 4 },
      Effect.gen(function* () {
        const small = Uint8Array.of(1, 2, 255)
        Assert.deepEqual([...(yield* Flame.call(echo, small))], [...small])
        const parcel = {
          point: new Point({ x: 1, y: -0.5 }),
          sent: new Date("2026-01-31T12:00:00.123Z"),
          weight: 2n ** 70n,
          labels: new Map([
            ["fragile", [1, 2]],
            ["", []]
          ]),
          content: small,
          priority: null
        }
        const forwarded = yield* Flame.call(forward, { parcel })
        Assert.ok(forwarded.point instanceof Point)
        Assert.equal(forwarded.point.x, 2)
        Assert.deepEqual([forwarded.sent, forwarded.weight, forwarded.priority], [parcel.sent, parcel.weight, null])
        Assert.deepEqual([...forwarded.labels], [...parcel.labels])
        Assert.equal(yield* Flame.call(nothing), undefined)
      })
    )
  )

  test(
    "calls carry large bytes both ways, while small calls go on",
    withPool(
      { max: 1, concurrency: 4 },
      Effect.gen(function* () {
        const large = Uint8Array.from({ length: 5_000_000 }, (_, i) => i % 251)
        const [back] = yield* Effect.all([Flame.call(echo, large), Flame.call(nothing), Flame.call(whoami)], {
          concurrency: 3
        })
        Assert.equal(Buffer.compare(back, large), 0)
      })
    )
  )

  test(
    "calls fail with their typed error, or die with a defect, and the runner serves on",
    withPool(
      { max: 1 },
      Effect.gen(function* () {
        const { id } = yield* Flame.call(whoami)
        const error = yield* Effect.flip(Flame.call(refuse, { why: "too heavy" }))
        Assert.ok(error instanceof Refusal, String(error))
        Assert.deepEqual([error.why, error.at], ["too heavy", new Date(0)])
        const died = yield* Effect.exit(Flame.call(collapse, { why: "too deep" }))
        const reason = Exit.isFailure(died) ? died.cause.reasons[0] : undefined
        const defect = reason?._tag === "Die" ? reason.defect : undefined
        Assert.ok(defect instanceof RemoteDefect, "it dies")
        Assert.equal(defect.message, `${collapse.name} died on runner ${id} with RangeError: too deep`)
        Assert.match(defect.stack ?? "", /RangeError: too deep\n\s+at /)
        Assert.equal((yield* Flame.call(whoami)).id, id)
      })
    )
  )

  test(
    "calls send along their budget, log annotations and propagated References",
    withPool(
      {},
      Effect.gen(function* () {
        const { hasBudget, pool, tenant } = yield* Effect.provideService(
          Flame.call(whoami, undefined, { timeout: "1 minute" }),
          Tenant,
          "acme"
        )
        Assert.deepEqual({ hasBudget, pool, tenant }, { hasBudget: true, pool: Pool.key, tenant: "acme" })
      })
    )
  )

  test(
    "log lines of calls arrive in the log of their pool, with runner and function",
    Effect.gen(function* () {
      const lines: Array<readonly [level: string, message: unknown, annotations: Readonly<Record<string, unknown>>]> =
        []
      const logger = Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
        lines.push([logLevel, message, fiber.getRef(References.CurrentLogAnnotations)])
      })
      const line = nextName()
      const said = () => lines.find(([, message]) => String(message) === line)
      const id = yield* withPool(
        {},
        Effect.gen(function* () {
          yield* Effect.annotateLogs(Flame.call(say, { line }), "order", 7)
          yield* eventually(
            Effect.sync(() => said() !== undefined),
            "the line is logged"
          )
          return (yield* (yield* Pool).status).runners[0]?.id
        })
      ).pipe(Effect.provide(Logger.layer([logger])))
      const annotations = { order: 7, runner: id, pool: Pool.key, function: say.name }
      Assert.deepEqual(said(), ["Warn", [line], annotations])
    })
  )

  test(
    "calls that are interrupted wait for their finalizers on the runner",
    withPool(
      { max: 1, concurrency: 2 },
      Effect.gen(function* () {
        const name = nextName()
        const holding = yield* Effect.forkChild(Flame.call(hold, { name, cleanup: 200 }), { startImmediately: true })
        yield* eventually(
          Effect.map(Flame.call(read), (lines) => lines.includes(`${name} runs`)),
          "it runs"
        )
        yield* Fiber.interrupt(holding)
        Assert.ok((yield* Flame.call(read)).includes(`${name} is cleaned up`))
      })
    )
  )

  test(
    "calls beyond a runner's slots run on a second runner at the same time",
    withPool(
      { max: 2 },
      Effect.gen(function* () {
        const names = [nextName(), nextName()]
        const pool = yield* Pool
        const holding = yield* Effect.forEach(names, (name) =>
          Effect.forkChild(Flame.call(hold, { name, cleanup: 0 }), { startImmediately: true })
        )
        yield* eventually(
          Effect.map(pool.status, ({ busySlots }) => busySlots === 2),
          "both run"
        )
        const { runners } = yield* pool.status
        Assert.equal(new Set(runners.map(({ labels }) => JSON.stringify(labels))).size, 2)
        yield* Fiber.interruptAll(holding)
      })
    )
  )

  test(
    "calls whose runner is killed fail with the cause, and the next call has a new runner",
    Effect.gen(function* () {
      const backend = yield* Backend
      const launched: Array<RunnerProcess> = []
      const launch: typeof backend.launch = (spec) =>
        Effect.tap(backend.launch(spec), (runner) => Effect.sync(() => launched.push(runner)))
      const told = withPool(
        { max: 1, concurrency: 2 },
        Effect.gen(function* () {
          const name = nextName()
          const first = yield* Flame.call(whoami)
          const holding = yield* Effect.forkChild(Effect.flip(Flame.call(hold, { name, cleanup: 0 })), {
            startImmediately: true
          })
          yield* eventually(
            Effect.map(Flame.call(read), (lines) => lines.includes(`${name} runs`)),
            "it runs"
          )
          yield* launched[0]!.kill("the suite")
          const { reason } = yield* Fiber.join(holding)
          Assert.ok(reason._tag === "RunnerLost" && reason.exit._tag === "Killed", reason.message)
          Assert.deepEqual(
            [reason.runner, reason.exit.by, reason.mayHaveRun, reason.gone],
            [first.id, "the suite", true, true]
          )
          Assert.notEqual((yield* Flame.call(whoami)).id, first.id)
        })
      )
      yield* Effect.provideService(told, Backend, { ...backend, launch })
    })
  )

  test(
    "the end of a pool ends its runners",
    Effect.gen(function* () {
      const labels = yield* withPool(
        { min: 2, awaitMin: true },
        Effect.gen(function* () {
          const { ready, runners } = yield* (yield* Pool).status
          Assert.equal(ready, 2)
          return runners.map(({ labels }) => labels)
        })
      )
      Assert.equal(labels.length, 2)
      yield* Effect.forEach(labels, isGone, { discard: true })
    })
  )
}
