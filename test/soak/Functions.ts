/** The functions of the soak. Each returns the nonce of its call, so that a wrong answer is noticed. */
import * as Schema from "effect/Schema"
import { Flame } from "../../src/index.ts"

const nonce = Schema.Int

/** The calm pool, which gets no faults. Faults of the other pool must not affect it. */
export class Calm extends Flame.PoolService<Calm>()("soak/Calm") {}

/** Returns its payload. */
export const echo = Flame.contract("echo", {
  payload: { nonce, text: Schema.String },
  success: Schema.Struct({ nonce, text: Schema.String })
})

/** Waits for that many milliseconds. */
export const wait = Flame.contract("wait", { payload: { nonce, millis: Schema.Finite }, success: nonce })

/** Computes without pause. */
export const compute = Flame.contract("compute", { payload: { nonce, millis: Schema.Finite }, success: nonce })

/** Returns bytes that are its whole payload. */
export const mirror = Flame.contract("mirror", { payload: Schema.Uint8Array, success: Schema.Uint8Array })

/** Returns bytes inside a struct. */
export const carry = Flame.contract("carry", {
  payload: { nonce, bytes: Schema.Uint8Array },
  success: Schema.Struct({ nonce, bytes: Schema.Uint8Array })
})

/** Returns that many bytes, which repeat the nonce. */
export const give = Flame.contract("give", { payload: { nonce, size: Schema.Int }, success: Schema.Uint8Array })

export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", { nonce }) {}

/** Fails with a typed error. */
export const refuse = Flame.contract("refuse", { payload: { nonce }, error: Refusal })

/** Dies with a defect. */
export const die = Flame.contract("die", { payload: { nonce } })

/** Never ends. */
export const never = Flame.contract("never", { payload: { nonce } })

/** Ends its own process, by an exit or a crash. */
export const leave = Flame.contract("leave", { payload: { how: Schema.Literals(["exit", "signal"]) } })

/** Records its start, waits, and records its end in a finalizer. */
export const mark = Flame.contract("mark", { payload: { nonce, millis: Schema.Finite }, success: nonce })

/** Is `mark`, declared idempotent. */
export const markAgain = Flame.contract("markAgain", {
  payload: { nonce, millis: Schema.Finite },
  success: nonce,
  idempotent: true
})

/** Returns its runner, and the size of its heap after a garbage collection. */
export const where = Flame.contract("where", {
  success: Schema.Struct({ runner: Schema.String, heap: Schema.Finite })
})
