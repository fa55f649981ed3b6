import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flame from "../../src/Flame.ts"
import * as FunctionCodec from "../../src/function/FunctionCodec.ts"
import { connect } from "../../src/pool/engine/Introduction.ts"
import type { RunnerCall, RunnerHandle } from "../../src/pool/engine/RunnerHandle.ts"
import { RunnerServer } from "../../src/runner/RunnerServer.ts"
import { isFinal, Kind, kindName } from "../../src/wire/Frame.ts"
import { fromDuplex, memoryPair, type Transport } from "../../src/wire/Transport.ts"
import * as Random from "../simulation/Random.ts"
import { int, noise } from "../wire/kit.ts"
import { socketPair, until } from "../wire/network/sockets.ts"
import { terms } from "./ScriptedParent.ts"

/** Returns its payload reversed, after that many milliseconds. */
const turned = Flame.fn(
  "turned",
  { payload: { bytes: Schema.Uint8Array, millis: Schema.Int, size: Schema.Int }, success: Schema.Uint8Array },
  ({ bytes, millis, size }) =>
    Effect.as(millis === 0 ? Effect.void : Effect.sleep(millis), Buffer.alloc(size, bytes.toReversed()))
)

const codec = FunctionCodec.of(turned)

class StressCall implements RunnerCall {
  linkId = 0
  turn = 0
  isCancelled = false
  readonly finals: Array<string> = []
  private readonly expected: Buffer

  constructor(expected: Buffer) {
    this.expected = expected
  }

  final(kind: number, body: Buffer, large: Uint8Array | undefined) {
    assert.isTrue(isFinal(kind))
    if (kind === Kind.Success) {
      assert.isTrue(
        this.expected.equals(codec.success.decode(large ?? body, large !== undefined) as Uint8Array),
        "another result"
      )
    }
    this.finals.push(kindName(kind))
  }
}

/** Both ends of a session, as the pool and the runner make them. */
const both = (parents: Transport, runners: Transport) =>
  Effect.gen(function* () {
    const server = new RunnerServer({
      transport: runners,
      info: { id: "r1", pool: "p", parent: "test" },
      life: "life-1",
      build: "b",
      functions: [turned],
      context: yield* Effect.context<never>()
    })
    server.start()
    const handle = yield* connect(parents, { ...terms, runner: "r1", life: "life-1", fingerprints: new Map() })
    const closed: Array<string | undefined> = []
    handle.events = { draining: () => {}, responsive: () => {}, closed: ({ violation }) => void closed.push(violation) }
    return { server, handle, closed }
  })

const stress = async (handle: RunnerHandle, seed: number) => {
  const random = Random.make(seed)
  const calls: Array<StressCall> = []
  const someSize = () =>
    random() < 0.7
      ? int(random, 1, 500)
      : random() < 0.8
        ? int(random, 20_000, 90_000)
        : int(random, 500_000, 2_000_000)
  while (calls.length < 200) {
    const [bytes, size] = [noise(someSize(), calls.length), someSize()]
    const call = new StressCall(Buffer.alloc(size, bytes.toReversed()))
    calls.push(call)
    const millis = random() < 0.5 ? int(random, 1, 3) : 0
    handle.request(call, 0, undefined, undefined, undefined, codec.payload.encode({ bytes, millis, size }))
    if (random() < 0.3) {
      const other = Random.pick(
        calls.filter(({ finals, isCancelled }) => finals.length === 0 && !isCancelled),
        random()
      )
      if (other !== undefined) {
        other.isCancelled = true
        handle.cancel(other)
      }
    }
    const most = int(random, 5, 60)
    await until(() => handle.inFlight < most)
  }
  await until(() => handle.inFlight === 0)
  return calls
}

const check = (seed: number, parents: Transport, runners: Transport) =>
  Effect.gen(function* () {
    const { closed, handle, server } = yield* both(parents, runners)
    const calls = yield* Effect.promise(() => stress(handle, seed))
    for (const { finals, isCancelled } of calls) {
      assert.strictEqual(finals.length, 1)
      if (!isCancelled) assert.deepStrictEqual(finals, ["Success"])
    }
    const interrupted = calls.filter(({ finals }) => finals[0] === "Interrupted")
    assert.isAbove(interrupted.length, 5)
    // Ids were reused, and none is held.
    assert.isBelow(handle.calls.length, 65)
    assert.isTrue(handle.calls.every((call) => call === undefined))
    for (let id = 0; id < 65; id++) {
      for (const direction of ["request", "response"] as const) {
        assert.isFalse(handle.link.abandon(id, direction))
        assert.isFalse(handle.link.forget(id, direction))
      }
    }
    handle.drain(1_000)
    yield* Deferred.await(server.done)
    yield* Effect.promise(() => until(() => closed.length === 1))
    assert.deepStrictEqual(closed, [undefined])
  }).pipe(Effect.catchDefect((defect) => Effect.die(new Error(`seed ${seed}: ${String(defect)}`, { cause: defect }))))

describe("parent and runner together", () => {
  it.live("answer each of many calls of any size once, cancelled ones too, in memory", () =>
    Effect.forEach([1, 2], (seed) => check(seed, ...memoryPair()))
  )

  for (const kind of ["unix", "tcp"] as const) {
    it.live(`answer each of many calls once over ${kind}`, () =>
      Effect.forEach([4, 5], (seed) =>
        Effect.scoped(
          Effect.gen(function* () {
            const [near, far] = yield* socketPair(kind)
            yield* check(seed, fromDuplex(near), fromDuplex(far))
          })
        )
      )
    )
  }

  it.live("hold nothing after they lost each other amid calls", () =>
    Effect.gen(function* () {
      for (const seed of [6, 7, 8, 9]) {
        const [near, far] = yield* socketPair("unix")
        const { closed, handle, server } = yield* both(fromDuplex(near), fromDuplex(far))
        const calls = Array.from({ length: 20 }, (_, i) => {
          const [bytes, size] = [noise(i % 3 === 0 ? 1_500_000 : 100, i), i % 2 === 0 ? 1_500_000 : 100]
          const call = new StressCall(Buffer.alloc(size, bytes.toReversed()))
          handle.request(call, 0, undefined, undefined, undefined, codec.payload.encode({ bytes, millis: i % 5, size }))
          return call
        })
        yield* Effect.promise(() => until(() => calls.some(({ finals }) => finals.length > 0)))
        if (seed % 2 === 0) near.destroy()
        else far.destroy()
        yield* Deferred.await(server.done)
        yield* Effect.promise(() => until(() => closed.length === 1))
        assert.isTrue(calls.every(({ finals }) => finals.length <= 1))
        for (let id = 0; id < 25; id++) {
          assert.isFalse(handle.link.abandon(id, "request"))
          assert.isFalse(handle.link.forget(id, "response"))
        }
      }
    })
  )
})
