/**
 * Tests of groups of Effect's RPC that runners serve, on any backend.
 *
 * | row | what holds |
 * |-----|------------|
 * | R1  | a procedure returns its value; classes arrive as instances, and codecs that need services have them |
 * | R2  | typed errors arrive as instances of their class |
 * | R3  | a defect fails its request alone, in the procedure's defect schema |
 * | R4  | headers of a request and headers of its context cross; too many of them are refused |
 * | R5  | middleware runs on both sides: it provides, adds headers, and fails with its own error, around streams too |
 * | R6  | streams emit their items, then their errors, and a slow consumer holds the handler back |
 * | R7  | handlers may return a queue or a Deferred, or be forked |
 * | R8  | an interrupted caller waits for the finalizers of its handler, also of a stream |
 * | R9  | an uninterruptible handler runs to its end, and an interrupted caller waits for that |
 * | R10 | requests at the same time have a slot each; further ones wait in the queue within their timeout |
 * | R11 | values of 20 MiB cross beside small requests |
 * | R12 | a lost runner fails its requests with RunnerLost |
 * | R13 | a discarded request waits for its middleware, but not for its result |
 * | R14 | a payload that does not fit fails the request before anything is sent |
 * | R15 | a primary key is ignored: the same request twice runs twice |
 */
import * as Assert from "node:assert/strict"
import { Cause, Effect, Exit, Fiber, Layer, Queue, Stream } from "effect"
import { RpcClient } from "effect/rpc"
import { Flame, Pool } from "../../../src/index.ts"
import type { PoolOptions } from "../../../src/pool/option/PoolOptions.ts"
import { eventually, nextName } from "../../../src/testing/Conformance.ts"
import { reasonOf, type SuiteOptions, testOn, upTo, watched } from "../registering.ts"
import * as G from "./group.ts"

export type RpcConformanceOptions<E> = SuiteOptions<E>

type Client = Effect.Success<typeof client>
const client = Flame.client(G.Things)

const withClient = <A, E, R>(options: PoolOptions, use: (client: Client) => Effect.Effect<A, E, R>) =>
  Effect.provide(
    Effect.flatMap(client, use),
    Layer.mergeAll(Pool.layer({ max: 1, concurrency: 4, ...options }), G.Offset.layer, G.AuthClient),
    { local: true }
  )

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  const die = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isDieReason) : undefined
  Assert.ok(die !== undefined, `it did not die: ${String(exit)}`)
  return die.defect
}

const noted = (client: Client, line: string) => Effect.map(client.noted({ line }), (n) => n > 0)
/** Registers the tests of groups on a backend. */
export const rpcConformance = <E>(name: string, options: RpcConformanceOptions<E>): void =>
  options.describe(`groups on ${name}`, () => {
    const test = testOn(options)

    test(
      "a procedure returns values, also through codecs that need services [R1]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          Assert.equal(yield* client.add({ a: 2, b: 3 }), 5)
          Assert.equal(yield* client.nothing(), undefined)
          const point = yield* client.point(new G.Point({ x: 1, label: "a" }))
          Assert.ok(point instanceof G.Point)
          Assert.deepEqual({ ...point }, { x: 2, label: "a" })
          Assert.equal(yield* client.moved({ n: 7 }), 7)
        })
      )
    )

    test(
      "a procedure fails with instances of its typed errors [R2]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          Assert.equal(yield* client.limited({ n: 10 }), 10)
          const error = yield* Effect.flip(client.limited({ n: 11 }))
          Assert.ok(error instanceof G.TooBig)
          Assert.deepEqual(error.when, new Date(0))
          const caught = yield* Effect.catchTag(client.limited({ n: 11 }), "rpc/TooBig", ({ max }) =>
            Effect.succeed(-max)
          )
          Assert.equal(caught, -10)
        })
      )
    )

    test(
      "a procedure that dies fails its request alone, in its own defect schema [R3]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          const beside = yield* Effect.forkChild(client.hold({ name: nextName(), cleanup: 0 }))
          for (const [how, message] of [
            ["die", "died"],
            ["throw", "thrown"]
          ] as const) {
            const defect = defectOf(yield* Effect.exit(client.dies({ how })))
            Assert.ok(defect instanceof Error)
            Assert.deepEqual([defect.name, defect.message], ["RangeError", message])
          }
          const broken = defectOf(yield* Effect.exit(client.breaks()))
          Assert.ok(broken instanceof G.Broken)
          Assert.equal(broken.part, "gear")
          // An interruption on the runner never looks like an interruption of the caller.
          Assert.ok(defectOf(yield* Effect.exit(client.dies({ how: "interrupt" }))) instanceof Flame.RemoteDefect)
          Assert.equal(beside.pollUnsafe(), undefined)
          yield* Fiber.interrupt(beside)
        })
      )
    )

    test(
      "headers of a request cross, and too many are refused [R4]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          Assert.deepEqual(yield* client.headers(), {})
          const own = client.headers(undefined, { headers: { "X-Own": "1" } })
          Assert.deepEqual(yield* own, { "x-own": "1" })
          const both = RpcClient.withHeaders(own, { "x-around": "2", "x-own": "3" })
          Assert.deepEqual(yield* both, { "x-around": "2", "x-own": "1" })
          Assert.deepEqual(yield* Effect.annotateLogs(both, { big: "x".repeat(10_000) }), {
            "x-around": "2",
            "x-own": "1"
          })
          const exit = yield* Effect.exit(client.headers(undefined, { headers: { "x-big": "x".repeat(5_000) } }))
          Assert.equal(reasonOf(exit)._tag, "InvalidPayload")
        })
      )
    )

    test(
      "middleware runs on both sides [R5]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          Assert.equal(yield* client.who(undefined, { headers: { "x-name": "bob" } }), "bob of lords")
          const denied = yield* Effect.flip(client.who(undefined, { headers: { "x-name": "eve" } }))
          Assert.ok(denied instanceof G.Denied)
          const bob = { headers: { "x-name": "bob" } }
          Assert.deepEqual(yield* Stream.runCollect(client.whose({ n: 1 }, bob)), ["bob of lords", "end"])
          const before: Array<string> = []
          const failed = yield* client.whose({ n: 11 }, bob).pipe(
            Stream.runForEach((item) => Effect.sync(() => void before.push(item))),
            Effect.flip
          )
          Assert.ok(failed instanceof G.TooBig)
          Assert.deepEqual(before, ["bob of lords"])
          Assert.ok((yield* Effect.flip(Stream.runCollect(client.whose({ n: 1 })))) instanceof G.Denied)
        })
      )
    )

    test(
      "a streaming procedure sends its items, then its error, and is held back by a slow consumer [R6]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          for (const to of [0, 1, 5_000]) Assert.deepEqual(yield* Stream.runCollect(client.count({ to })), upTo(to))
          const before: Array<number> = []
          const failed = yield* client.count({ to: -3 }).pipe(
            Stream.runForEach((item) => Effect.sync(() => void before.push(item))),
            Effect.flip
          )
          Assert.ok(failed instanceof G.TooBig)
          Assert.deepEqual(before, [1, 2, 3])
          const queue = yield* client.count({ to: 3 }, { asQueue: true })
          Assert.deepEqual(yield* Queue.takeN(queue, 3), [1, 2, 3])
          const name = nextName()
          const pull = yield* Stream.toPull(client.pour({ name }))
          yield* pull
          // The handler emits as much as fits in transit, and no more.
          yield* eventually(
            Effect.map(client.poured({ name }), (n) => n > 10),
            "it was ahead at all"
          )
          const ahead = yield* client.poured({ name })
          for (let i = 0; i < 50; i++) yield* client.nothing()
          const later = yield* client.poured({ name })
          Assert.ok(later <= Math.max(ahead, 200), `${later} chunks of 10 kB were made for one that was taken`)
        }).pipe(Effect.scoped)
      )
    )

    test(
      "a handler may return a queue or a Deferred, or be forked [R7]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          Assert.deepEqual(yield* Stream.runCollect(client.queued({ to: 100 })), upTo(100))
          Assert.equal(yield* client.forked({ n: 1 }), 2)
          Assert.equal(yield* client.later({ n: 3 }), 3)
          Assert.ok((yield* Effect.flip(client.later({ n: 11 }))) instanceof G.TooBig)
        })
      )
    )

    test(
      "an interrupted caller waits for the finalizers of its handler [R8]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          const name = nextName()
          const call = yield* Effect.forkChild(client.hold({ name, cleanup: 50 }))
          yield* eventually(noted(client, `${name} runs`), "it ran")
          yield* Fiber.interrupt(call)
          Assert.ok(yield* noted(client, `${name} is cleaned up`))

          const stream = nextName()
          Assert.deepEqual(
            yield* Stream.runCollect(Stream.take(client.trickle({ name: stream, first: 3 }), 3)),
            [1, 2, 3]
          )
          Assert.ok(yield* noted(client, `${stream} is cleaned up`))

          const idle = nextName()
          const taking = yield* Effect.forkChild(Stream.runDrain(client.trickle({ name: idle, first: 0 })))
          yield* eventually(noted(client, `${idle} runs`), "the stream ran")
          yield* Fiber.interrupt(taking)
          Assert.ok(yield* noted(client, `${idle} is cleaned up`))
        })
      )
    )

    test(
      "an uninterruptible handler runs to its end when its caller is interrupted [R9]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          const name = nextName()
          const call = yield* Effect.forkChild(client.firm({ name, millis: 100 }))
          yield* eventually(noted(client, `${name} runs`), "it ran")
          yield* Fiber.interrupt(call)
          Assert.ok(yield* noted(client, `${name} is done`))
        })
      )
    )

    test(
      "each request is a call with a slot of its own [R10]",
      withClient({ concurrency: 2 }, (client) =>
        Effect.gen(function* () {
          const sums = yield* Effect.forEach(upTo(500), (a) => client.add({ a, b: 1 }), { concurrency: "unbounded" })
          Assert.deepEqual(
            sums,
            upTo(500).map((a) => a + 1)
          )
          const held = [nextName(), nextName()]
          const holding = yield* Effect.forEach(held, (name) => Effect.forkChild(client.hold({ name, cleanup: 0 })))
          const { status } = yield* Pool
          yield* eventually(
            Effect.map(status, ({ busySlots }) => busySlots === 2),
            "both slots were taken"
          )
          const hasty = yield* Flame.client(G.Things, { timeout: 50 })
          const reason = reasonOf(yield* Effect.exit(hasty.nothing()))
          Assert.ok(reason._tag === "TimedOut" && reason.phase === "queued" && reason.function === "nothing")
          const waiting = yield* Effect.forkChild(client.add({ a: 1, b: 1 }))
          yield* Fiber.interruptAll(holding)
          Assert.equal(yield* Fiber.join(waiting), 2)
        })
      )
    )

    test(
      "a procedure carries large values [R11]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          const large = new Uint8Array(20 * 1024 * 1024).fill(7)
          large[0] = 1
          const text = "x".repeat(20 * 1024 * 1024)
          const both = Effect.all([client.bytes(large), client.echoed({ text })], { concurrency: 2 })
          const small = Effect.forEach(upTo(50), () => client.nothing())
          const [[bytes, echoed]] = yield* Effect.zip(both, small, { concurrent: true })
          Assert.equal(bytes.at(-1), 1)
          Assert.equal(bytes.length, large.length)
          Assert.ok(echoed === text)
        })
      )
    )

    test(
      "a request whose runner is lost fails with RunnerLost [R12]",
      watched((runners) =>
        withClient({}, (client) =>
          Effect.gen(function* () {
            const name = nextName()
            const call = yield* Effect.forkChild(Effect.exit(client.hold({ name, cleanup: 0 })))
            const stream = yield* Effect.forkChild(Effect.exit(Stream.runDrain(client.trickle({ name, first: 1 }))))
            yield* eventually(
              Effect.map(client.noted({ line: `${name} runs` }), (n) => n === 2),
              "both ran"
            )
            yield* runners[0]!.kill("the test")
            for (const fiber of [call, stream]) {
              const reason = reasonOf(yield* Fiber.join(fiber))
              Assert.ok(reason._tag === "RunnerLost" && reason.mayHaveRun)
            }
            Assert.equal(yield* client.add({ a: 1, b: 1 }), 2)
          })
        )
      )
    )

    test(
      "a request whose result is discarded returns without waiting [R13]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          const discard = { discard: true } as const
          Assert.equal(yield* client.add({ a: 1, b: 2 }, discard), undefined)
          Assert.equal(yield* client.limited({ n: 11 }, discard), undefined)
          Assert.equal(yield* client.dies({ how: "die" }, discard), undefined)
          Assert.ok((yield* Effect.flip(client.who(undefined, discard))) instanceof G.Denied)
        })
      )
    )

    test(
      "a payload that does not fit fails its request before anything is sent [R14]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          const wrong = { a: 0.5, b: 1 }
          for (const exit of [
            yield* Effect.exit(client.add(wrong)),
            yield* Effect.exit(client.add(wrong, { discard: true })),
            yield* Effect.exit(Stream.runDrain(client.count({ to: 0.5 }))),
            yield* Effect.exit(Effect.scoped(client.count({ to: 0.5 }, { asQueue: true })))
          ]) {
            Assert.equal(reasonOf(exit)._tag, "InvalidPayload")
          }
        })
      )
    )

    test(
      "a primary key is ignored, so the same request twice runs twice [R15]",
      withClient({}, (client) =>
        Effect.gen(function* () {
          const first = yield* client.keyed({ id: "same" })
          Assert.equal(yield* client.keyed({ id: "same" }), first + 1)
        })
      )
    )
  })
