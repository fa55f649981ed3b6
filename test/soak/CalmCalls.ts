/** Calls on the calm pool, which gets no faults. Each must end as it does without faults on the other pool. */
import type { Effect } from "effect"
import { Flame, type Pool } from "../../src/index.ts"
import type * as Random from "../simulation/Random.ts"
import { bytesOf, type Calling, calmGrace, nextNonce, words } from "./Calling.ts"
import * as Functions from "./Functions.ts"

export const caller = (calling: Calling, random: Random.Random): Effect.Effect<never, never, Pool | Functions.Calm> => {
  const on = { pool: Functions.Calm, timeout: "5 minutes" } as const
  const strict = { timeout: 300_000, reasons: [] }
  return calling.forever(random, [
    () => {
      const nonce = nextNonce()
      const echo = Flame.call(Functions.echo, { nonce, text: words[nonce % words.length]! }, on)
      return calling.make({ ...strict, what: `calm echo ${nonce}`, value: (value) => value.nonce === nonce }, echo)
    },
    () => {
      const bytes = bytesOf(random)
      const value = (value: Uint8Array) => Buffer.compare(value, bytes) === 0
      return calling.make({ ...strict, what: "calm mirror", value }, Flame.call(Functions.mirror, bytes, on))
    },
    () => {
      const nonce = nextNonce()
      const error = (error: unknown) => error instanceof Functions.Refusal && error.nonce === nonce
      return calling.make(
        { ...strict, what: `calm refuse ${nonce}`, error },
        Flame.call(Functions.refuse, { nonce }, on)
      )
    },
    () => {
      const nonce = nextNonce()
      const call = Flame.call(Functions.mark, { nonce, millis: random() * 500 }, on)
      return calling.interrupted(nonce, call, random() * 300, calmGrace)
    },
    () => {
      const nonce = nextNonce()
      const call = Flame.call(Functions.never, { nonce }, on)
      return calling.interrupting(`calm never ${nonce}`, call, random() * 300, calmGrace)
    }
  ])
}
