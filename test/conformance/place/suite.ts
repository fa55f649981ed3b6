/**
 * Tests of placed services on any backend: rows C30 to C37 (except C35, which is about processes), and further promises
 * in the docstring of `Flame.place`.
 */
import * as Assert from "node:assert/strict"
import { Cause, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { RpcClient } from "effect/rpc"
import { Flame, Pool } from "../../../src/index.ts"
import type { PoolOptions } from "../../../src/pool/option/PoolOptions.ts"
import { eventually, nextName } from "../../../src/testing/Conformance.ts"
import { reasonOf, type SuiteOptions, testOn, upTo, watched } from "../registering.ts"
import * as S from "./services.ts"

export type PlaceConformanceOptions<E> = SuiteOptions<E>

const withPool = <A, E, R>(options: PoolOptions, use: Effect.Effect<A, E, R>) =>
  Effect.provide(Effect.scoped(use), Layer.merge(Pool.layer({ max: 1, ...options }), S.OwnerLive), { local: true })

const placed = (options: { readonly name?: string; readonly how?: "well" | "fails" | "dies" | "never" } = {}) =>
  Flame.place(S.counter, { name: options.name ?? nextName(), from: 0, how: options.how ?? "well" })

/** Places a counter in a Scope of its own, which the test closes. */
const owned = (name: string) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const client = yield* Effect.provideService(placed({ name }), Scope.Scope, scope)
    return { client, close: Scope.close(scope, Exit.void) }
  })

/** Forks an effect. When this returns, the fiber has sent its first message. */
const begun = Effect.forkChild({ startImmediately: true })

const status = Effect.flatMap(Pool, (pool) => pool.status)
const isIdle = Effect.map(status, ({ busySlots, runners }) => runners.length > 0 && busySlots === 0)

/** Registers the tests of placed services on a backend. */
export const placeConformance = <E>(name: string, options: PlaceConformanceOptions<E>): void =>
  options.describe(`placed services on ${name}`, () => {
    const test = testOn(options)

    test(
      "a client of a placed service gets answers, and the pool has one runner [C30]",
      withPool(
        { max: 3 },
        Effect.gen(function* () {
          const client = yield* placed()
          Assert.equal(yield* client.add({ n: 2 }), 2)
          Assert.equal(yield* client.add({ n: 3 }), 5)
          const { busySlots, runners } = yield* status
          Assert.deepEqual([busySlots, runners.length], [1, 1])
          Assert.equal(yield* client.where(), runners[0]!.id)
          Assert.equal(yield* client.nested(), 5)
        })
      )
    )

    test(
      "a stream of bytes of a placed service has items as large as a result may be [C30]",
      withPool(
        { maxResult: 100_000 },
        Effect.gen(function* () {
          const client = yield* placed()
          for (const size of [30_000, 100_000]) {
            const items = yield* Stream.runCollect(Stream.take(client.pour({ size }), 30))
            Assert.deepEqual([items.length, items.every(({ length }) => length === size)], [30, true])
          }
          const reason = reasonOf(yield* Effect.exit(Stream.runDrain(client.pour({ size: 100_001 }))))
          Assert.equal(reason._tag, "PayloadTooLarge")
          Assert.equal(yield* client.add({ n: 2 }), 2)
        })
      )
    )

    test(
      "a placed service and its runner stay for ten times the idle time [C31]",
      withPool(
        { max: 2, idleTimeToLive: 50, maxLifetime: 50 },
        Effect.gen(function* () {
          const { client, close } = yield* owned(nextName())
          const before = yield* client.where()
          // Nothing may happen for ten times the idle time, so there is no condition to wait for.
          yield* Effect.sleep(500)
          Assert.equal(yield* client.add({ n: 1 }), 1)
          Assert.equal(yield* client.where(), before)
          yield* close
          yield* eventually(
            Effect.map(status, ({ runners }) => runners.every(({ id }) => id !== before)),
            "its runner went"
          )
        })
      )
    )

    test(
      "a placed service that ends while a cast runs leaves the runner to the cast, then the runner ends [C32]",
      withPool(
        { concurrency: 2, idleTimeToLive: 50 },
        Effect.gen(function* () {
          const { client, close } = yield* owned(nextName())
          const runner = yield* client.where()
          yield* Flame.cast(S.five, { after: 300 })
          yield* eventually(
            Effect.map(status, ({ busySlots }) => busySlots === 2),
            "both ran"
          )
          yield* close
          const meanwhile: Array<ReadonlyArray<string>> = []
          yield* eventually(
            Effect.map(status, ({ busySlots, runners }) => {
              if (busySlots === 1) meanwhile.push(runners.map(({ id }) => id))
              return busySlots === 0
            }),
            "the cast ended"
          )
          Assert.ok(meanwhile.length > 0)
          for (const runners of meanwhile) Assert.deepEqual(runners, [runner])
          yield* eventually(
            Effect.map(status, ({ runners }) => runners.length === 0),
            "the runner went"
          )
        })
      )
    )

    for (const how of ["end", "kill"] as const) {
      test(
        `a placed service that has ${how === "end" ? "ended" : "died"} fails its requests, and its owner is told [C33]`,
        withPool(
          { idleTimeToLive: 50 },
          Effect.gen(function* () {
            const client = yield* placed()
            const ended = yield* Effect.forkChild(Effect.exit(Flame.ended(client)))
            const held = yield* begun(Effect.exit(client.hold({ name: nextName() })))
            yield* Effect.exit(client[how]())
            Assert.equal(reasonOf(yield* Fiber.join(held))._tag, "ServiceEnded")
            const exit = yield* Fiber.join(ended)
            if (how === "end") Assert.ok(Exit.isSuccess(exit))
            else Assert.ok(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof Flame.RemoteDefect)
            Assert.equal(reasonOf(yield* Effect.exit(client.add({ n: 1 })))._tag, "ServiceEnded")
            Assert.equal(reasonOf(yield* Effect.exit(Stream.runDrain(client.count({ to: 1 }))))._tag, "ServiceEnded")
            yield* eventually(
              Effect.map(status, ({ runners }) => runners.length === 0),
              "the runner went idle"
            )
          })
        )
      )
    }

    test(
      "a request that ends its own placed service is interrupted, and its finalizers run [C33]",
      withPool(
        {},
        Effect.gen(function* () {
          const client = yield* placed()
          const name = nextName()
          Assert.equal(reasonOf(yield* Effect.exit(client.endAndHold({ name })))._tag, "ServiceEnded")
          yield* Flame.ended(client)
          Assert.ok(yield* Flame.call(S.noted, { line: `${name} is cleaned up` }))
        })
      )
    )

    test(
      "a placed service whose runner is lost fails its requests with RunnerLost, and its owner is told [C33]",
      watched((runners) =>
        withPool(
          {},
          Effect.gen(function* () {
            const client = yield* placed()
            const held = yield* begun(Effect.exit(client.hold({ name: nextName() })))
            const taking = yield* begun(Effect.exit(Stream.runDrain(client.trickle({ name: nextName() }))))
            yield* client.where()
            yield* runners[0]!.kill("the test")
            const ended = reasonOf(yield* Effect.exit(Flame.ended(client)))
            Assert.ok(ended._tag === "RunnerLost" && ended.function === "place/counter")
            for (const fiber of [held, taking]) {
              const reason = reasonOf(yield* Fiber.join(fiber))
              Assert.ok(reason._tag === "RunnerLost" && reason.mayHaveRun)
            }
            const late = reasonOf(yield* Effect.exit(client.add({ n: 1 })))
            Assert.ok(late._tag === "RunnerLost" && !late.mayHaveRun && late.function === "add")
            // The pool serves on.
            Assert.equal(yield* (yield* placed()).add({ n: 1 }), 1)
          })
        )
      )
    )

    test(
      "a placed service whose owner's Scope closes has run its finalizers; its slot is free, and the runner goes idle [C34]",
      withPool(
        { idleTimeToLive: 300 },
        Effect.gen(function* () {
          const name = nextName()
          const { client, close } = yield* owned(name)
          const held = nextName()
          const holding = yield* begun(Effect.exit(client.hold({ name: held })))
          yield* client.where()
          yield* close
          Assert.equal((yield* status).busySlots, 0)
          // The requests ended before the service, and the service ended before its slot was free.
          Assert.ok(yield* Flame.call(S.noted, { line: `${held} is cleaned up` }))
          Assert.ok(yield* Flame.call(S.noted, { line: `${name} is gone` }))
          Assert.equal(reasonOf(yield* Fiber.join(holding))._tag, "ServiceEnded")
          Assert.equal(reasonOf(yield* Effect.exit(client.where()))._tag, "ServiceEnded")
          yield* Flame.ended(client)
          yield* eventually(
            Effect.map(status, ({ runners }) => runners.length === 0),
            "the runner went idle"
          )
        })
      )
    )

    test(
      "a placed service holds its slot: a call with a timeout fails meanwhile, and succeeds after the service has ended [C36]",
      withPool(
        { max: 2 },
        Effect.gen(function* () {
          const first = yield* owned(nextName())
          const second = yield* owned(nextName())
          Assert.notEqual(yield* first.client.where(), yield* second.client.where())
          const call = Flame.call(S.five, { after: 0 }, { timeout: 100 })
          const reason = reasonOf(yield* Effect.exit(call))
          Assert.ok(reason._tag === "TimedOut" && reason.phase === "queued")
          // Requests of a service need no slot.
          Assert.equal(yield* first.client.add({ n: 1 }), 1)
          yield* first.close
          Assert.equal(yield* call, 5)
          yield* second.close
        })
      )
    )

    test(
      "a placed service that fails to build fails Flame.place with its error, and its slot is free again [C37]",
      withPool(
        {},
        Effect.gen(function* () {
          const error = yield* Effect.flip(placed({ name: "no", how: "fails" }))
          Assert.ok(error instanceof S.Unbuildable && error.why === "no")
          yield* eventually(isIdle, "the slot was free")
          Assert.ok(yield* Flame.call(S.noted, { line: "no is gone" }))
          const died = yield* Effect.exit(placed({ how: "dies" }))
          Assert.ok(Exit.isFailure(died) && Cause.squash(died.cause) instanceof Flame.RemoteDefect)
          yield* eventually(isIdle, "the slot was free")
        })
      )
    )

    test(
      "a placed service is built within the timeout of Flame.place, and has no timeout after that",
      withPool(
        {},
        Effect.gen(function* () {
          yield* Flame.call(S.five, { after: 0 })
          const name = nextName()
          const late = Flame.place(S.counter, { name, from: 0, how: "never" }, { timeout: 100 })
          const reason = reasonOf(yield* Effect.exit(late))
          Assert.ok(reason._tag === "TimedOut" && reason.phase === "running")
          yield* eventually(isIdle, "the slot was free")
          Assert.ok(yield* Flame.call(S.noted, { line: `${name} is gone` }))
          const client = yield* Flame.place(S.counter, { name: nextName(), from: 0, how: "well" }, { timeout: 1_500 })
          // The timeout of Flame.place is over, and must not matter any more.
          yield* Effect.sleep(1_600)
          Assert.equal(yield* client.add({ n: 1 }), 1)
          Assert.ok(yield* client.remaining())
        })
      )
    )

    test(
      "a placed service is given up when the fiber that places it is interrupted while it is built",
      withPool(
        {},
        Effect.gen(function* () {
          yield* Flame.call(S.five, { after: 0 })
          const name = nextName()
          const placing = yield* Effect.forkChild(placed({ name, how: "never" }))
          yield* eventually(
            Effect.map(status, ({ busySlots }) => busySlots === 1),
            "it was being built"
          )
          yield* Fiber.interrupt(placing)
          Assert.equal((yield* status).busySlots, 0)
        })
      )
    )

    test(
      "a placed service answers many requests and streams at once",
      withPool(
        {},
        Effect.gen(function* () {
          const client = yield* placed()
          const adds = Effect.forEach(upTo(500), () => client.add({ n: 1 }), { concurrency: "unbounded" })
          const counts = Effect.forEach(upTo(5), (i) => Stream.runCollect(client.count({ to: i * 1_000 })), {
            concurrency: "unbounded"
          })
          // A stream that nobody pulls must not block the others.
          const pull = yield* Stream.toPull(client.pour({ size: 10_000 }))
          yield* pull
          const [, items] = yield* Effect.zip(adds, counts, { concurrent: true })
          items.forEach((items, i) => Assert.deepEqual(items, upTo((i + 1) * 1_000)))
          Assert.equal(yield* client.add({ n: 0 }), 500)
          const large = new Uint8Array(5 * 1024 * 1024).fill(3)
          Assert.deepEqual(yield* client.echo(large), large)
          const before: Array<number> = []
          const failed = yield* client.count({ to: -3 }).pipe(
            Stream.runForEach((item) => Effect.sync(() => void before.push(item))),
            Effect.flip
          )
          Assert.ok(failed instanceof S.TooMuch)
          Assert.deepEqual(before, [1, 2, 3])
          for (const size of [0, 1, 40_000, 300_000]) {
            const items = yield* Stream.runCollect(Stream.take(client.pour({ size }), 50))
            Assert.deepEqual(
              items.map(({ length }) => length),
              new Array(50).fill(size)
            )
          }
        })
      )
    )

    test(
      "a placed service keeps errors, defects, headers and interruptions of one request apart from the others",
      withPool(
        { concurrency: 2 },
        Effect.gen(function* () {
          const client = yield* placed()
          Assert.ok((yield* Effect.flip(client.add({ n: 101 }))) instanceof S.TooMuch)
          const died = yield* Effect.exit(client.dies())
          Assert.ok(Exit.isFailure(died) && String(Cause.squash(died.cause)).includes("of one request"))
          const headers = RpcClient.withHeaders(client.headers(undefined, { headers: { a: "1" } }), { b: "2" })
          Assert.deepEqual(yield* headers, { a: "1", b: "2" })
          Assert.equal(reasonOf(yield* Effect.exit(client.add({ n: 0.5 })))._tag, "InvalidPayload")
          const name = nextName()
          const held = yield* begun(client.hold({ name }))
          yield* client.where()
          yield* Fiber.interrupt(held)
          Assert.ok(yield* Flame.call(S.noted, { line: `${name} is cleaned up` }))
          const stream = nextName()
          yield* Stream.runDrain(Stream.take(client.trickle({ name: stream }), 1))
          Assert.ok(yield* Flame.call(S.noted, { line: `${stream} is cleaned up` }))
          Assert.equal(yield* client.add({ n: 1 }), 1)
        })
      )
    )

    test(
      "a placed service that either side ends amid requests both ways does not affect other calls of its runner",
      withPool(
        { concurrency: 2 },
        Effect.gen(function* () {
          const neighbour = yield* placed()
          for (const how of ["end", "close", "end", "close"] as const) {
            const { client, close } = yield* owned(nextName())
            const asks = [client.askOwner({ n: 4 }), client.sumOfOwner({ from: 100 }), client.add({ n: 1 })]
            const asking = yield* begun(
              Effect.forEach(upTo(100), (i) => Effect.exit(asks[i % 3]!), { concurrency: "unbounded" })
            )
            yield* how === "end" ? Effect.ignoreCause(client.end()) : close
            yield* Fiber.join(asking)
            yield* Flame.ended(client)
            Assert.equal(yield* neighbour.add({ n: 0 }), 0)
            yield* close
          }
        })
      )
    )

    test(
      "a placed service can call its owner",
      withPool(
        {},
        Effect.gen(function* () {
          const client = yield* placed()
          Assert.equal(yield* client.askOwner({ n: 4 }), 8)
          Assert.ok((yield* Effect.flip(client.askOwner({ n: 101 }))) instanceof S.TooMuch)
          Assert.equal(yield* client.sumOfOwner({ from: 1_000 }), 500_500)
        })
      )
    )

    test(
      "a placed service can call its owner while it is built",
      withPool(
        {},
        Effect.gen(function* () {
          const client = yield* placed({ name: `${nextName()} asks` })
          Assert.equal(yield* client.add({ n: 1 }), 1)
        })
      )
    )

    test(
      "a placed service is told when its runner must go, and has time to end by itself",
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const pool = yield* Layer.buildWithScope(
          Layer.merge(Pool.layer({ max: 1, drainTimeout: 10_000 }), S.OwnerLive),
          scope
        )
        const client = yield* placed({ name: `${nextName()} leaves` }).pipe(
          Effect.provideContext(pool),
          Effect.provideService(Scope.Scope, scope)
        )
        const ended = yield* Effect.forkChild(Flame.ended(client))
        yield* client.where()
        yield* Effect.provideContext(
          Effect.flatMap(Pool, (pool) => pool.drain),
          pool
        )
        yield* Fiber.join(ended)
        yield* Scope.close(scope, Exit.void)
      })
    )
  })
