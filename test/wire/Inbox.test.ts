import { assert, describe, it } from "@effect/vitest"
import { Kind } from "../../src/wire/Frame.ts"
import { creditWindow, Inbox, mostIncomplete } from "../../src/wire/Inbox.ts"
import { open } from "./kit.ts"

const MiB = 1024 * 1024
const size = 20 * MiB
const part = Buffer.alloc(32 * 1024)

/** Receives large results as fast as credit allows. `until` is the fraction of each body that is sent. */
const receive = (bodies: number, until: number) => {
  const credit = new Map<number, number>()
  const sent = new Map<number, number>()
  const whole: Array<number> = []
  let most = 0
  const inbox = new Inbox({
    complete: (_, id) => {
      whole.push(id)
      sent.delete(id)
    },
    accept: () => undefined,
    violate: (detail) => assert.fail(detail),
    grant: (_, id, more) => void credit.set(id, (credit.get(id) ?? 0) + more)
  })
  for (let id = 1; id <= bodies; id++) {
    inbox.open(Kind.OpenResponse, id, open(size, Kind.Success))
    credit.set(id, creditWindow)
    sent.set(id, 0)
  }
  const run = (): void => {
    for (let moved = true; moved;) {
      moved = false
      for (const id of sent.keys()) {
        const left = Math.min(credit.get(id) ?? 0, until - (sent.get(id) ?? 0), part.length)
        if (left <= 0) continue
        moved = true
        credit.set(id, (credit.get(id) ?? 0) - left)
        sent.set(id, (sent.get(id) ?? 0) + left)
        inbox.part(Kind.PartResponse, id, part.subarray(0, left))
        most = Math.max(
          most,
          [...sent.values()].reduce((a, b) => a + b, 0)
        )
      }
    }
  }
  run()
  return { inbox, most: () => most, run, sent, whole }
}

describe("large bodies that arrive together", () => {
  it("hold at most 64 MiB, one body and their first windows if none is completed [C210]", () => {
    const bodies = 20
    const { most } = receive(bodies, size - 1)
    assert.isAtLeast(most(), mostIncomplete - 4 * MiB)
    assert.isAtMost(most(), mostIncomplete + size + bodies * creditWindow)
  })

  it("all arrive whole, one after the other if there are many", () => {
    const { whole } = receive(20, size)
    assert.deepStrictEqual(
      whole.toSorted((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i + 1)
    )
  })

  it("leave room for others when one of them is given up", () => {
    const { inbox, run, sent } = receive(20, size - 1)
    const stuck = [...sent].filter(([, bytes]) => bytes < size - 1).map(([id]) => id)
    assert.isAbove(stuck.length, 1)
    const before = stuck.reduce((sum, id) => sum + (sent.get(id) ?? 0), 0)
    for (const [id, bytes] of sent) {
      if (bytes < size - 1) continue
      inbox.forget(id, "response")
      sent.delete(id)
    }
    run()
    assert.isAbove(
      stuck.reduce((sum, id) => sum + (sent.get(id) ?? 0), 0),
      before
    )
  })
})
