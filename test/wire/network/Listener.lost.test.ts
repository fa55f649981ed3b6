import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { bundled } from "../../fixtures/bundled.ts"
import { again, hold } from "../../fixtures/network/functions.ts"
import * as Namespaces from "../../fixtures/network/Namespaces.ts"
import * as TcpBackend from "../../fixtures/network/TcpBackend.ts"
import { alive } from "../../fixtures/process/processes.ts"
import { until } from "./doors.ts"

const entry = await bundled(new URL("../../fixtures/network/runner.ts", import.meta.url))
/** The reasonGrace of the backend, in milliseconds. */
const reasonGrace = 500

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-lost-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** The lines of a file of `hold` or `again`. */
const notes = (file: string) =>
  !existsSync(file)
    ? []
    : readFileSync(file, "utf8")
        .split("\n")
        // Without the text behind the last line break, which may be incomplete. A file exists before its first line.
        .slice(0, -1)
        .map((line) => line.split(" "))
        .map(([what, pid, at]) => ({ what, pid: Number(pid), at: Number(at) }))

/**
 * Makes two calls on one runner, loses the runner's connection, and checks that the callers know within `limit`
 * milliseconds.
 */
const losing = (name: string, options: Omit<TcpBackend.Options, "entry">, cut: () => void, within: number) =>
  Effect.gen(function* () {
    const path = yield* folder
    const [holding, repeated] = [join(path, "hold"), join(path, "again")]
    const pids = yield* Effect.gen(function* () {
      const held = yield* Effect.forkChild(Effect.flip(Flame.call(hold, { file: holding })))
      yield* until(() => notes(holding).length === 1, "the first call runs")
      const twice = yield* Effect.forkChild(Flame.call(again, { file: repeated }))
      yield* until(() => notes(repeated).length === 1, "the second call runs")
      const first = notes(holding)[0]!.pid
      assert.strictEqual(notes(repeated)[0]?.pid, first, "on the same runner")
      const began = performance.now()
      cut()
      const error = yield* Fiber.join(held)
      const after = performance.now() - began
      assert.strictEqual(error.reason._tag, "RunnerLost", error.message)
      assert.isBelow(after, within, name)
      const second = yield* Fiber.join(twice)
      assert.notStrictEqual(second, first)
      // No process of the first runner is left by then, and the two runs did not overlap.
      assert.deepStrictEqual(alive([first]), [])
      assert.deepStrictEqual(
        notes(repeated).map(({ pid, what }) => [what, pid]),
        [
          ["begins", first],
          ["ends", first],
          ["begins", second]
        ]
      )
      assert.deepStrictEqual(
        notes(holding).map(({ what }) => what),
        ["begins", "ends"]
      )
      const [, ended, repeats] = notes(repeated)
      assert.isAtMost(ended!.at, repeats!.at)
      return [first, second]
    }).pipe(
      Effect.provide(Pool.layer({ max: 2, concurrency: 2, cancelGrace: 1_000, drainTimeout: 1_000 }), { local: true }),
      Effect.provide(TcpBackend.layer({ entry, ...options }), { local: true })
    )
    assert.deepStrictEqual(alive(pids), [], "nothing is left")
  })

/** A proxy that forwards everything until it resets its connections. */
const proxy = Effect.acquireRelease(
  Effect.sync(() => {
    const pairs: Array<readonly [Net.Socket, Net.Socket]> = []
    const self = { target: 0, pairs, server: Net.createServer({ noDelay: true }) }
    self.server.on("connection", (from) => {
      const to = Net.connect({ port: self.target, host: "127.0.0.1", noDelay: true })
      for (const [a, b] of [
        [from, to],
        [to, from]
      ] as const) {
        a.on("error", () => {})
        a.on("close", () => b.destroy())
        a.pipe(b)
      }
      pairs.push([from, to])
    })
    self.server.listen(0, "127.0.0.1")
    return self
  }),
  ({ pairs, server }) =>
    Effect.sync(() => {
      server.close()
      for (const pair of pairs) for (const socket of pair) socket.destroy()
    })
)

const viaProxy = (which: "both connections" | "the silent connection") =>
  Effect.gen(function* () {
    const middle = yield* proxy
    const cut = () => {
      const those = which === "both connections" ? middle.pairs.slice(0, 2) : middle.pairs.slice(1, 2)
      for (const [from, to] of those) {
        from.resetAndDestroy()
        to.resetAndDestroy()
      }
    }
    const options = {
      address: (port: number) => {
        middle.target = port
        return `127.0.0.1:${(middle.server.address() as Net.AddressInfo).port}`
      }
    }
    // The loss of the silent connection alone gives the last words one more second.
    yield* losing(which, options, cut, reasonGrace + 8_000)
  })

describe("the calls of a runner over the network", () => {
  it.live(
    "[C64] whose connection is reset fail with RunnerLost, and the runner ends",
    () => viaProxy("both connections"),
    120_000
  )

  it.live(
    "[C64] whose silent connection is reset fail with RunnerLost, and the runner ends",
    () => viaProxy("the silent connection"),
    120_000
  )

  const why = Namespaces.missing === undefined ? "" : ` (skipped: ${Namespaces.missing})`
  it.live.skipIf(Namespaces.missing !== undefined)(
    `[C64] whose packets are dropped on one or both sides fail within 15 s, and the runner ends${why}`,
    () =>
      Effect.gen(function* () {
        const network = yield* Namespaces.make(2)
        const dropped = (index: number, sides: "one" | "both") =>
          losing(
            sides,
            {
              address: (port) => `${network.here}:${port}`,
              before: (runner) => (runner === 1 ? network.command(index) : [])
            },
            () => network.cut(index, sides),
            15_000 + reasonGrace + 15_000
          )
        yield* Effect.all([dropped(0, "one"), dropped(1, "both")], { concurrency: 2 })
      }),
    90_000
  )
})
