/** Functions of the soak. Each answers with the nonce of its call, so that a wrong answer is noticed. */
import * as Schema from "effect/Schema"
import { Flame } from "../../src/index.ts"

const nonce = Schema.Int

/** The calm pool: no fault is done to it, and no fault of the other pool may show in it. */
export class Calm extends Flame.PoolService<Calm>()("soak/Calm") {}

/** Answers with its payload. */
export const echo = Flame.contract("echo", {
  payload: { nonce, text: Schema.String },
  success: Schema.Struct({ nonce, text: Schema.String })
})

/** Waits. */
export const wait = Flame.contract("wait", { payload: { nonce, millis: Schema.Finite }, success: nonce })

/** Computes without pause. */
export const compute = Flame.contract("compute", { payload: { nonce, millis: Schema.Finite }, success: nonce })

/** Gives back bytes, which are all there is. */
export const mirror = Flame.contract("mirror", { payload: Schema.Uint8Array, success: Schema.Uint8Array })

/** Gives back bytes among other things. */
export const carry = Flame.contract("carry", {
  payload: { nonce, bytes: Schema.Uint8Array },
  success: Schema.Struct({ nonce, bytes: Schema.Uint8Array })
})

/** Gives as many bytes as it is asked for: the nonce, over and over. */
export const give = Flame.contract("give", { payload: { nonce, size: Schema.Int }, success: Schema.Uint8Array })

export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", { nonce }) {}

/** Fails with its own error. */
export const refuse = Flame.contract("refuse", { payload: { nonce }, error: Refusal })

/** Dies. */
export const die = Flame.contract("die", { payload: { nonce } })

/** Never ends. */
export const never = Flame.contract("never", { payload: { nonce } })

/** Ends its own process. */
export const leave = Flame.contract("leave", { payload: { how: Schema.Literals(["exit", "signal"]) } })

/** Notes that it began, waits, and notes in a finalizer that it ended. */
export const mark = Flame.contract("mark", { payload: { nonce, millis: Schema.Finite }, success: nonce })

/** The same, and it may run again. */
export const markAgain = Flame.contract("markAgain", {
  payload: { nonce, millis: Schema.Finite },
  success: nonce,
  idempotent: true
})

/** Where it runs, and what the heap of that process holds after a collection. */
export const where = Flame.contract("where", {
  success: Schema.Struct({ runner: Schema.String, heap: Schema.Finite })
})
