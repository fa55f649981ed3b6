import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Call, type CallOwner } from "../../../src/pool/engine/Call.ts"

const terms = {
  span: undefined,
  extras: undefined,
  timeout: undefined,
  lease: -1,
  leasedRunner: undefined,
  cast: false
}

const made = (payload: Uint8Array, stopped: Array<Call> = []) => {
  const fn = { name: "test/call", layout: "", idempotent: false }
  const owner: CallOwner = {
    final: () => {},
    expired: () => {},
    detached: () => {},
    interrupt: (call) => Effect.sync(() => void stopped.push(call))
  }
  return new Call(owner, fn, undefined, payload, terms, 0, () => {})
}

describe("a call that waits", () => {
  it("keeps the buffer of its payload in place of a view, and gives the same bytes [C322]", () => {
    const slab = Uint8Array.from({ length: 100 }, (_, i) => i)
    const call = made(slab.subarray(10, 20))
    const before = new Uint8Array(call.payload)
    call.park()
    call.park()
    assert.deepStrictEqual(new Uint8Array(call.payload), before)
    assert.strictEqual(call.payload.buffer, slab.buffer)
    assert.notStrictEqual(call.payload, call.payload)
  })

  it("has no fields of its own for what few calls need [C322]", () => {
    const [one, other] = [made(new Uint8Array(0)), made(new Uint8Array(0))]
    const rare = ["nested", "slot", "stopped", "trace", "ranFor", "messages", "channel", "calls", "mayHaveRun"] as const
    for (const field of rare) assert.isFalse(Object.hasOwn(one, field))
    one.mayHaveRun = true
    assert.deepStrictEqual([one.mayHaveRun, other.mayHaveRun, other.isSuspended, other.depth], [true, false, false, 0])
  })

  it("is the effect that stops it [C322]", async () => {
    const stopped: Array<Call> = []
    const call = made(new Uint8Array(0), stopped)
    await Effect.runPromise(call)
    assert.deepStrictEqual(stopped, [call])
  })
})
