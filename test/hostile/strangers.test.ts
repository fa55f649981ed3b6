import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync } from "node:fs"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { defaults, neighbourOf, Strangers } from "../../src/wire/network/Strangers.ts"
import { dialling, listening, logging, until } from "../wire/network/doors.ts"
import { thorough } from "../fixtures/thorough.ts"
import { Silent } from "./FirstFlightFuzz.ts"
import { inUse } from "./Victim.ts"

const MiB = 1024 * 1024
const seconds = Number(process.env["HOSTILE_SECONDS"] ?? (thorough ? 3 : 1))

/** Opens connections to a port at a rate, from that many addresses, in processes of its own. */
const crowd = (port: number, rate: number, addresses: number, mode: string) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const script = fileURLToPath(new URL("../fixtures/hostile/crowd.mjs", import.meta.url))
      const child = spawn(process.execPath, [script, `${port}`, `${rate}`, `${addresses}`, mode], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      child.stdout.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const descriptors = () => readdirSync("/proc/self/fd").length

describe("10 000 connections a second of strangers", () => {
  for (const [mode, addresses] of [
    ["silent", 200],
    ["garbage", 200],
    ["reset", 1]
  ] as const) {
    it.live(
      `stay within the limits of sockets and memory, and keep no runner out: ${mode}, from ${addresses} [C207]`,
      () => {
        const { layer, lines } = logging()
        return Effect.gen(function* () {
          const listener = yield* listening()
          const before = descriptors()
          yield* crowd(listener.port, 10_000, addresses, mode)
          const { counters } = listener
          yield* until(() => counters.silent + counters.garbage + counters.crowded > 50, "the attack is on")
          const used = inUse()
          let most = 0
          const looking = setInterval(() => (most = Math.max(most, descriptors() - before)), 20)
          const admissions = Array.from({ length: 20 }, (_, index) => listener.expect(index))
          yield* Effect.forEach(
            admissions,
            (admission) =>
              Effect.andThen(
                Effect.promise(() => dialling(listener, admission, { patience: 60_000 })),
                admission.transport
              ),
            { concurrency: 20 }
          )
          yield* Effect.sleep(seconds * 1_000)
          clearInterval(looking)
          const memory = inUse() - used
          // This process has both ends of 20 sessions with two connections each.
          assert.isAtMost(most, 2 * defaults.sockets + 20 * 4 + 20)
          assert.isBelow(memory, 32 * MiB)
          assert.isAtMost(lines.length, 10 * (1 + Math.ceil((seconds + 30) / 10)))
          const opened = counters.silent + counters.garbage + counters.crowded + counters.refused
          if (process.env["HOSTILE_REPORT"] !== undefined) {
            console.info(
              mode,
              `${opened} connections, at most ${most} descriptors more, ${(memory / MiB).toFixed(0)} MiB`
            )
          }
        }).pipe(Effect.scoped, Effect.provide(layer))
      },
      180_000
    )
  }

  it.live(
    "that are reset and opened again from one port leave no entry behind [C208]",
    () =>
      Effect.gen(function* () {
        const listener = yield* listening({ limits: { helloTimeout: 60_000 } })
        const before = descriptors()
        const dial = (localPort: number) =>
          Effect.callback<Net.Socket>((resume) => {
            const socket = Net.connect({ port: listener.port, host: "127.0.0.1", localPort })
            socket.on("error", () => resume(Effect.succeed(socket)))
            socket.once("connect", () => resume(Effect.succeed(socket)))
          })
        for (let i = 0; i < 200; i++) {
          const socket = yield* dial(21_000 + (i % 20))
          socket.resetAndDestroy()
        }
        yield* until(() => descriptors() <= before, "all of them are gone")
        const crowdOf = (count: number) =>
          Effect.forEach(Array.from({ length: count }), () => dial(0), { concurrency: 50 })
        const sockets = yield* crowdOf(100)
        yield* until(
          () => sockets.filter(({ closed }) => !closed).length === defaults.perNeighbour,
          "no more of one address are left than is promised"
        )
        for (const socket of sockets) socket.destroy()
      }).pipe(Effect.scoped),
    120_000
  )
})

/** Lets 20 000 connections in from these addresses, and returns how many are left and the most at a time. */
const crowded = (addressOf: (index: number) => string) =>
  Effect.promise(async () => {
    const strangers = new Strangers(defaults, { hello: () => {}, dismissed: () => {}, left: () => {} })
    let most = 0
    for (let i = 0; i < 20_000; i++) {
      strangers.add(new Silent(addressOf(i)) as unknown as Net.Socket)
      most = Math.max(most, strangers.size)
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
    const left = strangers.size
    strangers.dismissAll()
    return { left, most }
  })

describe("20 000 connections", () => {
  it.live(
    "of one IPv6 network of 64 bits, each from its own address, leave as many as one neighbour may have [C433]",
    () =>
      Effect.gen(function* () {
        const { left, most } = yield* crowded((i) => `2001:db8:0:1:${(i >> 8).toString(16)}::${(i & 255).toString(16)}`)
        assert.strictEqual(left, defaults.perNeighbour)
        assert.isAtMost(most, 2 * defaults.sockets)
      })
  )

  it.live("of as many IPv6 networks leave as many as there may be in all [C433]", () =>
    Effect.gen(function* () {
      const { left, most } = yield* crowded((i) => `2001:db8:${i.toString(16)}::1`)
      assert.strictEqual(left, defaults.sockets)
      assert.isAtMost(most, 2 * defaults.sockets)
    })
  )
})

describe("a neighbour, for the limits of connections,", () => {
  it("is an IPv4 address, or an IPv6 network of 64 bits [C209]", () => {
    assert.strictEqual(neighbourOf("10.1.2.3"), "10.1.2.3")
    const one = neighbourOf("2001:db8:0:1:aaaa:bbbb:cccc:dddd")
    assert.strictEqual(one, "2001:db8:0:1::/64")
    for (const same of ["2001:db8:0:1::", "2001:0db8::1:0:0:0:9", "2001:DB8:0:1::f%eth0"]) {
      assert.strictEqual(neighbourOf(same), one, same)
    }
    assert.notStrictEqual(neighbourOf("2001:db8:0:2::1"), one)
    assert.strictEqual(neighbourOf("::1"), neighbourOf("::2"))
    assert.strictEqual(neighbourOf("64:ff9b::10.0.0.1"), "64:ff9b:0:0::/64")
  })
})
