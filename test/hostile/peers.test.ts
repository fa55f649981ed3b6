import { assert, describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Flame from "../../src/Flame.ts"
import { Pool } from "../../src/pool/Pool.ts"
import { isPrintable } from "../../src/error/PeerText.ts"
import { until } from "../fixtures/conformance-process/patience.ts"
import { bytes, nothing, Offers, placed } from "../fixtures/hostile/functions.ts"
import { attacked, type Cost, type Line, Watch } from "./Victim.ts"

const MiB = 1024 * 1024
const small = new Uint8Array(1)
const show = ({ memory, millis, read, share, slowness, stall }: Cost) =>
  `stall ${stall.toFixed(0)} ms, ${(share * 100).toFixed(0)} % of a core, ${(memory / MiB).toFixed(0)} MiB, ${((read / millis) * 1000).toFixed(0)} bytes a second, on a machine ${slowness.toFixed(1)} times slower than usual`

/** Margin on the documented 100 ms, because other programs take the processor's caches away. */
const busy = 100

/** The limits of every attack: the parent stalls for less than 100 ms, and uses little memory. */
const check = (cost: Cost, memory = 64 * MiB): void => {
  if (process.env["HOSTILE_REPORT"] !== undefined) console.info(expect.getState().currentTestName, show(cost))
  assert.isBelow(cost.stall, (100 + busy) * cost.slowness, show(cost))
  assert.isBelow(cost.memory, memory, show(cost))
}

/** Makes calls for that many milliseconds while the attack goes on. */
const under = (millis: number, use: Effect.Effect<unknown, unknown, never>): Effect.Effect<Cost, never, Pool> =>
  Effect.gen(function* () {
    // The first seconds compile the code that the attack reaches.
    yield* Effect.forkChild(Effect.exit(use))
    const pool = yield* Pool
    while ((yield* pool.status).busySlots === 0) yield* Effect.sleep(50)
    yield* Effect.sleep(1_000)
    const watch = new Watch()
    yield* Effect.sleep(millis)
    return watch.end()
  })

const calling = Effect.suspend(() => Flame.call(nothing, small))

const ended = (lines: ReadonlyArray<Line>) => lines.map(({ text }) => text).filter((text) => text.includes("was ended"))

describe("a hostile runner", () => {
  for (const [attack, what] of [
    ["nested", "calls functions of no pool"],
    ["unknown", "calls functions that nobody serves"],
    ["casts", "casts functions that nobody serves"],
    ["cancels", "gives up what it calls at once"]
  ] as const) {
    it.live(
      `that ${what} without end costs a part of a core and stalls nothing [C205]`,
      () =>
        attacked(attack, (lines) =>
          Effect.gen(function* () {
            const began = performance.now()
            const context = yield* Effect.context<never>()
            const cost = yield* under(2_000, Effect.provideContext(calling as never, context))
            check(cost)
            // 10 % of a core are promised. Without a limit for the attack it is most of what other programs leave.
            assert.isBelow(cost.share, 0.25 * cost.slowness, show(cost))
            // The parent reads in pieces of 64 KiB, which last for seconds. Without a limit it reads a piece at each turn.
            assert.isAtMost(cost.read, 64 * 1024 * (2 + cost.millis / 1000), show(cost))
            // 1 000 lines at once, and 1 000 a second.
            assert.isBelow(lines.length, 2_000 + performance.now() - began)
            for (const { text } of lines) assert.isBelow(text.length, 4_096)
          })
        ),
      120_000
    )
  }

  for (const attack of ["long name", "forged name"]) {
    it.live(`with a ${attack} loses its session [C200]`, () =>
      attacked(attack, (lines) =>
        Effect.gen(function* () {
          const exit = yield* Effect.exit(calling)
          assert.isTrue(Exit.isFailure(exit))
          assert.strictEqual(ended(lines).length, 1)
          for (const { text } of lines) assert.isBelow(text.length, 1_000)
        })
      )
    )
  }

  it.live(
    "that answers calls without reading loses its session, and no data piles up [C203]",
    () =>
      attacked("blind", (lines) =>
        Effect.gen(function* () {
          const watch = new Watch()
          const payload = new Uint8Array(30 * 1024)
          const call = Effect.suspend(() => Flame.call(nothing, payload))
          const calls = Effect.forEach(Array.from({ length: 2_000 }), () => Effect.exit(call), { concurrency: 16 })
          yield* Effect.raceFirst(
            calls,
            until(() => ended(lines).length > 0, "its session is ended")
          )
          check(watch.end())
          assert.isAbove(ended(lines).length, 0)
        })
      ),
    120_000
  )

  it.live(
    "that calls with large payloads and completes no result makes its parent hold 320 MiB and two values [C338]",
    () => {
      const value = 32 * MiB
      const use = attacked(
        "hold",
        (lines) =>
          Effect.gen(function* () {
            const watch = new Watch()
            const call = Effect.exit(Effect.suspend(() => Flame.call(bytes, small)))
            yield* Effect.forkChild(
              Effect.all(
                Array.from({ length: 8 }, () => call),
                { concurrency: 8 }
              )
            )
            const before = process.memoryUsage.rss()
            const grown = () => process.memoryUsage.rss() - before
            yield* until(() => grown() > 256 * MiB, "it holds what the limits allow")
            // Until nothing more arrives.
            for (let last = -1; grown() > last + 8 * MiB; yield* Effect.sleep(1_000)) last = grown()
            const cost = watch.end()
            check(cost, 320 * MiB + 2 * value + 64 * MiB)
            assert.isAbove(cost.memory, 256 * MiB, show(cost))
            assert.deepStrictEqual(ended(lines), [])
          }),
        String(value),
        { concurrency: 8, maxPayload: value, maxResult: value }
      )
      return use
    },
    120_000
  )

  it.live(
    "that reads nothing gets no more calls than it has slots, and no data piles up [C204]",
    () =>
      attacked("deaf", () =>
        Effect.gen(function* () {
          const watch = new Watch()
          const call = Effect.suspend(() => Flame.call(nothing, new Uint8Array(30 * 1024), { timeout: "1 second" }))
          yield* Effect.forEach(Array.from({ length: 64 }), () => Effect.exit(call), { concurrency: 32 })
          check(watch.end())
        })
      ),
    120_000
  )
})

const evil =
  'before\u001b[2J\u001b]0;owned\u0007\u001b]52;c;ZWNobw==\u0007\rlevel=INFO message="forged" \u0008\u0085next\u2028sep\u202ertl\u009b31m after'

describe("text of a hostile runner", () => {
  const log = [
    {
      level: "Info",
      at: 1,
      message: [evil],
      annotations: { [evil]: evil },
      cause: evil,
      function: evil,
      spans: [[evil, 1]]
    }
  ]
  for (const [attack, text] of [
    ["stderr", `${evil}\n`],
    ["last words", `${evil}\n`],
    ["logs", JSON.stringify(log)],
    ["defect", JSON.stringify({ name: evil, message: evil, stack: evil })]
  ] as const) {
    it.live(`reaches logs and errors only after cleaning: ${attack} [C200]`, () =>
      attacked(
        attack,
        (lines) =>
          Effect.gen(function* () {
            const exit = yield* Effect.exit(calling)
            yield* Effect.sleep(200)
            const said = [
              ...lines.flatMap(({ annotations, text }) => [text, JSON.stringify(annotations)]),
              String(exit)
            ]
            assert.include(said.join("\n"), "after")
            for (const line of said.flatMap((text) => text.split("\n")))
              assert.isTrue(isPrintable(line), JSON.stringify(line))
          }),
        text
      )
    )
  }
})

const Tenant = Context.Reference<string>("hostile/Tenant", { defaultValue: () => "nobody" })
Flame.propagate(Tenant, Schema.String)

describe("a hostile placed service", () => {
  let asked = 0
  const handlers = Offers.toLayer({
    slow: () =>
      Effect.suspend(() =>
        Effect.andThen(
          Effect.sync(() => asked++),
          Effect.never
        )
      ),
    fat: () =>
      Effect.sync(() => {
        asked++
        return new Uint8Array(64 * 1024)
      }),
    say: () =>
      Effect.gen(function* () {
        asked++
        yield* Effect.logError(`asked by ${yield* Tenant} at ${yield* References.MinimumLogLevel}`)
      })
  })

  /** Runs the attack until a line of the log matches. */
  const owned = (
    attack: string,
    wanted: RegExp,
    use: (client: never) => Effect.Effect<unknown, unknown, never>,
    text?: string
  ) =>
    attacked(
      attack,
      (lines) =>
        Effect.gen(function* () {
          asked = 0
          const client = yield* Flame.place(placed, { n: 1 })
          const watch = new Watch()
          yield* Effect.forkScoped(Effect.exit(use(client as never)))
          yield* until(() => lines.some(({ text }) => wanted.test(text)), `${wanted} is logged`)
          return { cost: watch.end(), lines: [...lines] }
        }).pipe(Effect.scoped, Effect.provide(handlers), Effect.orDie) as never,
      text
    ) as Effect.Effect<{ readonly cost: Cost; readonly lines: ReadonlyArray<Line> }>

  for (const [attack, what] of [
    ["placed requests", "more requests than may be open"],
    ["placed answers", "more requests than may be open"],
    ["placed grants", "a grant of more than was sent"]
  ] as const) {
    it.live(
      `loses its session, and uses little memory: ${attack} [C201]`,
      () =>
        Effect.gen(function* () {
          const { cost, lines } = yield* owned(attack, /was ended/, () => Effect.void)
          check(cost)
          assert.isAtMost(asked, 2_048)
          assert.include(ended(lines).join(), what)
        }),
      120_000
    )
  }

  it.live(
    "loses its session by items beyond their window, and uses little memory [C201]",
    () =>
      Effect.gen(function* () {
        const slow = (client: never) =>
          Stream.runForEach(
            (client as { readonly watch: (_: { n: number }) => Stream.Stream<Uint8Array> }).watch({ n: 1 }),
            () => Effect.sleep(100)
          )
        const { cost, lines } = yield* owned("placed items", /was ended/, slow)
        check(cost)
        assert.include(ended(lines).join(), "items beyond their window")
      }),
    120_000
  )

  for (const extras of [
    { annotations: { "user\u001b[2J\nforged": "x\u001b]0;title\u0007\u202e", runner: "somebody-else" } },
    { level: "None" },
    { references: { "hostile/Tenant": "root" } }
  ]) {
    it.live(`controls nothing in the log of its owner: ${JSON.stringify(extras).slice(0, 20)} [C202]`, () =>
      Effect.gen(function* () {
        const { lines } = yield* owned("placed extras", /^asked by/, () => Effect.void, JSON.stringify(extras))
        const line = lines.find(({ text }) => text.startsWith("asked by"))
        assert.strictEqual(line?.text, "asked by nobody at Info")
        for (const [key, value] of Object.entries(line?.annotations ?? {})) {
          assert.isTrue(isPrintable(key) && isPrintable(String(value)))
          assert.isTrue(key.startsWith("runner"))
          assert.notStrictEqual(key === "runner" ? value : "", "somebody-else")
        }
      })
    )
  }
})
