/** The callers of the soak. Each makes one call after the other, and a seeded generator picks the kind of each call. */
import { Effect, Exit } from "effect"
import { Flame, Pool } from "../../src/index.ts"
import * as Random from "../simulation/Random.ts"
import { bytesOf, type Called, type Calling, largest, nextNonce, noise, outcomeOf, settings, words } from "./Calling.ts"
import * as Functions from "./Functions.ts"

export class Calls {
  private readonly calling: Calling

  constructor(calling: Calling) {
    this.calling = calling
  }

  /** Makes calls of every kind, for ever. */
  caller(random: Random.Random): Effect.Effect<never, never, Pool | Functions.Calm> {
    const kinds = [
      ...Array<() => Called<unknown>>(20).fill(() => this.echo(random)),
      ...Array<() => Called<unknown>>(6).fill(() => this.wait(random)),
      ...Array<() => Called<unknown>>(6).fill(() => this.mark(random)),
      ...Array<() => Called<unknown>>(4).fill(() => {
        const nonce = nextNonce()
        const call = Flame.call(Functions.mark, { nonce, millis: random() * 500 })
        return this.calling.interrupted(nonce, call, random() * 300, settings.cancelGrace)
      }),
      ...Array<() => Called<unknown>>(3).fill(() => this.compute(random)),
      ...Array<() => Called<unknown>>(3).fill(() => this.mirror(random)),
      ...Array<() => Called<unknown>>(3).fill(() => this.carry(random)),
      ...Array<() => Called<unknown>>(3).fill(() => this.give(random)),
      ...Array<() => Called<unknown>>(3).fill(() => this.cast(random)),
      () => this.hangUp(random),
      () => this.hangUp(random),
      () => this.burst(),
      () => this.leased(random),
      () => this.refuse(),
      () => this.refuse(),
      () => this.die(),
      () => this.never(random),
      () => this.never(random),
      () => this.tooLarge(),
      () => this.invalid(),
      () => this.rarely(random)
    ]
    return this.calling.forever(random, kinds)
  }

  private echo(random: Random.Random) {
    const nonce = nextNonce()
    const text = Random.pick(words, random())!
    const timeout = settings.timeout
    return this.calling.make(
      { what: `echo ${nonce}`, timeout, value: (value) => value.nonce === nonce && value.text === text },
      Flame.call(Functions.echo, { nonce, text })
    )
  }

  private burst() {
    const echo = (nonce: number) =>
      this.calling.make(
        { what: `burst ${nonce}`, timeout: settings.timeout, value: (value) => value.nonce === nonce },
        Flame.call(Functions.echo, { nonce, text: "" })
      )
    return Effect.forEach(
      Array.from({ length: 150 }, () => nextNonce()),
      echo,
      { concurrency: "unbounded", discard: true }
    )
  }

  private wait(random: Random.Random) {
    const nonce = nextNonce()
    const timeout = 50 + random() * 1_000
    const call = Flame.call(Functions.wait, { nonce, millis: random() * 700 }, { timeout })
    return this.calling.make({ what: `wait ${nonce}`, timeout, value: (value) => value === nonce }, call)
  }

  private compute(random: Random.Random) {
    const nonce = nextNonce()
    const timeout = 100 + random() * 20_000
    const call = Flame.call(Functions.compute, { nonce, millis: random() ** 3 * 500 }, { timeout })
    return this.calling.make({ what: `compute ${nonce}`, timeout, value: (value) => value === nonce }, call)
  }

  private mirror(random: Random.Random) {
    const bytes = bytesOf(random)
    const value = (value: Uint8Array) => Buffer.compare(value, bytes) === 0
    const what = `mirror of ${bytes.length} bytes`
    return this.calling.make({ what, timeout: settings.timeout, value }, Flame.call(Functions.mirror, bytes))
  }

  private carry(random: Random.Random) {
    const nonce = nextNonce()
    const bytes = bytesOf(random)
    const call = Flame.call(Functions.carry, { nonce, bytes })
    const what = `carry ${nonce} of ${bytes.length} bytes`
    return this.calling.make(
      {
        what,
        timeout: settings.timeout,
        value: (got) => got.nonce === nonce && Buffer.compare(got.bytes, bytes) === 0
      },
      call
    )
  }

  private give(random: Random.Random) {
    const nonce = nextNonce()
    const size = Math.floor(largest ** random()) & ~3
    const value = (bytes: Uint8Array) => {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      const mine = size === 0 || (buffer.readUInt32BE(0) === nonce && buffer.readUInt32BE(size - 4) === nonce)
      return bytes.length === size && mine
    }
    const what = `give ${nonce} of ${size} bytes`
    return this.calling.make({ what, timeout: settings.timeout, value }, Flame.call(Functions.give, { nonce, size }))
  }

  private refuse() {
    const nonce = nextNonce()
    const error = (error: unknown) => error instanceof Functions.Refusal && error.nonce === nonce
    return this.calling.make(
      { what: `refuse ${nonce}`, timeout: settings.timeout, error },
      Flame.call(Functions.refuse, { nonce })
    )
  }

  private die() {
    const nonce = nextNonce()
    const defect = ({ message }: Flame.RemoteDefect) => message.endsWith(`call ${nonce} dies`)
    return this.calling.make(
      { what: `die ${nonce}`, timeout: settings.timeout, defect },
      Flame.call(Functions.die, { nonce })
    )
  }

  private never(random: Random.Random) {
    const nonce = nextNonce()
    const timeout = 20 + random() * 1_000
    return this.calling.make({ what: `never ${nonce}`, timeout }, Flame.call(Functions.never, { nonce }, { timeout }))
  }

  private tooLarge() {
    const nonce = nextNonce()
    const reasons = ["PayloadTooLarge"] as const
    const terms = { timeout: settings.timeout, reasons }
    const payload = Flame.call(Functions.carry, { nonce, bytes: noise })
    const size = settings.maxResult + 4
    return Effect.andThen(
      this.calling.make({ ...terms, what: "a payload that is too large" }, payload),
      this.calling.make({ ...terms, what: "a result that is too large" }, Flame.call(Functions.give, { nonce, size }))
    )
  }

  private invalid() {
    const call = Flame.call(Functions.wait, { nonce: 0.5, millis: 1 })
    return this.calling.make({ what: "invalid", timeout: settings.timeout, reasons: ["InvalidPayload"] }, call)
  }

  /** A call whose runner records that it ran. */
  private mark(random: Random.Random) {
    const nonce = nextNonce()
    const idempotent = random() < 0.3
    const timeout = random() < 0.3 ? random() * 600 : settings.timeout
    const payload = { nonce, millis: random() * 400 }
    const call = idempotent
      ? Flame.call(Functions.markAgain, payload, { timeout })
      : Flame.call(Functions.mark, payload, { timeout })
    const expected = { what: `mark ${nonce}`, timeout, idempotent, value: (value: number) => value === nonce }
    return Effect.map(this.calling.make(expected, call), ({ exit, reason }) => {
      // An idempotent call that waits may have run already, on a runner that was lost.
      const outcome = Exit.isSuccess(exit) ? "ran" : idempotent ? "unknown" : outcomeOf(reason)
      this.calling.marks.tell({ nonce, idempotent, outcome, message: reason?.message ?? "", at: Date.now() })
    })
  }

  private cast(random: Random.Random) {
    const nonce = nextNonce()
    const call = Effect.as(Flame.cast(Functions.mark, { nonce, millis: random() * 300 }), nonce)
    const expected = { what: `cast ${nonce}`, timeout: settings.timeout, value: () => true }
    return Effect.map(this.calling.make(expected, call), ({ exit, reason }) => {
      const outcome = Exit.isSuccess(exit) ? "cast" : "not run"
      this.calling.marks.tell({ nonce, idempotent: false, outcome, message: reason?.message ?? "", at: Date.now() })
    })
  }

  /** A large call that is interrupted in transit. */
  private hangUp(random: Random.Random) {
    const bytes = bytesOf(random)
    const call = Flame.call(Functions.mirror, bytes)
    return this.calling.interrupting(`hang-up on ${bytes.length} bytes`, call, random() * 30, settings.cancelGrace)
  }

  /** Calls inside a lease, which must all run on one runner. */
  private leased(random: Random.Random) {
    const seen = new Set<string>()
    const value = ({ runner }: { readonly runner: string }) => seen.add(runner).size === 1
    const one = this.calling.make(
      { what: "leased where", timeout: settings.timeout, value },
      Flame.call(Functions.where)
    )
    const three = Effect.andThen(
      Effect.repeat(Effect.andThen(one, Effect.sleep(random() * 50)), { times: 2 }),
      Effect.void
    )
    const expected = { what: "withRunner", timeout: settings.timeout * 4, value: () => true }
    return this.calling.make(expected, Pool.withRunner(three))
  }

  /** Calls that cost a runner: a loop that does not end in time, an exit, a crash. */
  private rarely(random: Random.Random) {
    if (random() < 0.6) return Effect.void
    if (random() < 0.5) {
      const nonce = nextNonce()
      const timeout = 300
      const value = (value: number) => value === nonce
      const call = Flame.call(Functions.compute, { nonce, millis: 500 + random() * 3_000 }, { timeout })
      return this.calling.make({ what: `block ${nonce}`, timeout, value }, call)
    }
    const how = random() < 0.5 ? "exit" : "signal"
    return this.calling.make({ what: how, timeout: settings.timeout }, Flame.call(Functions.leave, { how }))
  }
}
