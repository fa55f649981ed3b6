/** The calls of a soak: one caller makes one after the other, of a kind that its generator picks. */
import { randomFillSync } from "node:crypto"
import { Effect, Exit, Fiber, Latch } from "effect"
import { Flame, type FlameError, Pool } from "../../src/index.ts"
import * as Random from "../simulation/Random.ts"
import * as Functions from "./Functions.ts"
import type { Expected, Judge } from "./Judge.ts"
import type { Ledger } from "./Ledger.ts"
import type { Marks, Told } from "./Marks.ts"

export const settings = {
  /** Budget of a call that sets none, in milliseconds. */
  timeout: 20_000,
  cancelGrace: 1_000,
  drainTimeout: 3_000,
  queueCapacity: 300,
  maxPayload: 14 * 1024 * 1024,
  maxResult: 12 * 1024 * 1024
}

/** `cancelGrace` of the calm pool: so much that only a cancellation which is lost takes as long. */
export const calmGrace = 10_000

const largest = 8 * 1024 * 1024
const noise = randomFillSync(Buffer.allocUnsafe(largest * 2))
const words = ["", "word", "Größe ☃", "a\u0000b", "x".repeat(2_000), "👩‍🚀".repeat(300)]

let nonces = 0

type Called<A> = Effect.Effect<A, unknown, Pool | Functions.Calm>

export class Calls {
  /** Closed while the books are compared. */
  readonly gate = Latch.makeUnsafe(true)
  private readonly ledger: Ledger
  private readonly judge: Judge
  private readonly marks: Marks

  constructor(ledger: Ledger, judge: Judge, marks: Marks) {
    this.ledger = ledger
    this.judge = judge
    this.marks = marks
  }

  /** Makes calls of every kind, for ever. */
  caller(random: Random.Random): Effect.Effect<never, never, Pool | Functions.Calm> {
    const kinds = [
      ...Array<() => Called<unknown>>(20).fill(() => this.echo(random)),
      ...Array<() => Called<unknown>>(6).fill(() => this.wait(random)),
      ...Array<() => Called<unknown>>(6).fill(() => this.mark(random)),
      ...Array<() => Called<unknown>>(4).fill(() => {
        const nonce = nonces++
        const call = Flame.call(Functions.mark, { nonce, millis: random() * 500 })
        return this.interrupted(nonce, call, random() * 300, settings.cancelGrace)
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
    return this.forever(random, kinds)
  }

  /** Makes calls on the pool that nothing is done to: all of them must succeed. */
  calm(random: Random.Random): Effect.Effect<never, never, Pool | Functions.Calm> {
    const on = { pool: Functions.Calm, timeout: "5 minutes" } as const
    const strict = { timeout: 300_000, reasons: [] }
    return this.forever(random, [
      () => {
        const nonce = nonces++
        const echo = Flame.call(Functions.echo, { nonce, text: words[nonce % words.length]! }, on)
        return this.make({ ...strict, what: `calm echo ${nonce}`, value: (value) => value.nonce === nonce }, echo)
      },
      () => {
        const bytes = this.bytes(random)
        const value = (value: Uint8Array) => Buffer.compare(value, bytes) === 0
        return this.make({ ...strict, what: "calm mirror", value }, Flame.call(Functions.mirror, bytes, on))
      },
      () => {
        const nonce = nonces++
        const error = (error: unknown) => error instanceof Functions.Refusal && error.nonce === nonce
        return this.make(
          { ...strict, what: `calm refuse ${nonce}`, error },
          Flame.call(Functions.refuse, { nonce }, on)
        )
      },
      () => {
        const nonce = nonces++
        const call = Flame.call(Functions.mark, { nonce, millis: random() * 500 }, on)
        return this.interrupted(nonce, call, random() * 300, calmGrace)
      },
      () => {
        const nonce = nonces++
        const call = Flame.call(Functions.never, { nonce }, on)
        return this.interrupting(`calm never ${nonce}`, call, random() * 300, calmGrace)
      }
    ])
  }

  private forever(random: Random.Random, kinds: ReadonlyArray<() => Called<unknown>>) {
    const one = Effect.suspend(() => Random.pick(kinds, random())!())
    // a caller thinks now and then: without it nothing would ever be idle
    const pause = Effect.suspend(() => (random() < 0.2 ? Effect.sleep(random() * 100) : Effect.void))
    return Effect.forever(
      Effect.andThen(this.gate.await, Effect.andThen(Effect.ignoreCause(Effect.asVoid(one)), pause))
    )
  }

  /** Makes a call and judges what comes of it. */
  private make<A>(expected: Expected<A>, call: Called<A>) {
    return Effect.suspend(() => {
      const started = performance.now()
      const close = this.ledger.begin(expected.what, expected.timeout + settings.cancelGrace)
      return Effect.map(Effect.exit(call), (exit) => {
        close()
        return { exit, reason: this.judge.look(expected, exit, performance.now() - started) }
      })
    })
  }

  private bytes(random: Random.Random): Uint8Array {
    // as many small ones as large ones, by their logarithm
    const size = Math.floor(largest ** random())
    const from = Math.floor(random() * (noise.length - size))
    return Uint8Array.prototype.slice.call(noise, from, from + size)
  }

  private echo(random: Random.Random) {
    const nonce = nonces++
    const text = Random.pick(words, random())!
    const timeout = settings.timeout
    return this.make(
      { what: `echo ${nonce}`, timeout, value: (value) => value.nonce === nonce && value.text === text },
      Flame.call(Functions.echo, { nonce, text })
    )
  }

  private burst() {
    const echo = (nonce: number) =>
      this.make(
        { what: `burst ${nonce}`, timeout: settings.timeout, value: (value) => value.nonce === nonce },
        Flame.call(Functions.echo, { nonce, text: "" })
      )
    return Effect.forEach(
      Array.from({ length: 150 }, () => nonces++),
      echo,
      { concurrency: "unbounded", discard: true }
    )
  }

  private wait(random: Random.Random) {
    const nonce = nonces++
    const timeout = 50 + random() * 1_000
    const call = Flame.call(Functions.wait, { nonce, millis: random() * 700 }, { timeout })
    return this.make({ what: `wait ${nonce}`, timeout, value: (value) => value === nonce }, call)
  }

  private compute(random: Random.Random) {
    const nonce = nonces++
    const timeout = 100 + random() * 20_000
    const call = Flame.call(Functions.compute, { nonce, millis: random() ** 3 * 500 }, { timeout })
    return this.make({ what: `compute ${nonce}`, timeout, value: (value) => value === nonce }, call)
  }

  private mirror(random: Random.Random) {
    const bytes = this.bytes(random)
    const value = (value: Uint8Array) => Buffer.compare(value, bytes) === 0
    const what = `mirror of ${bytes.length} bytes`
    return this.make({ what, timeout: settings.timeout, value }, Flame.call(Functions.mirror, bytes))
  }

  private carry(random: Random.Random) {
    const nonce = nonces++
    const bytes = this.bytes(random)
    const call = Flame.call(Functions.carry, { nonce, bytes })
    const what = `carry ${nonce} of ${bytes.length} bytes`
    return this.make(
      {
        what,
        timeout: settings.timeout,
        value: (got) => got.nonce === nonce && Buffer.compare(got.bytes, bytes) === 0
      },
      call
    )
  }

  private give(random: Random.Random) {
    const nonce = nonces++
    const size = Math.floor(largest ** random()) & ~3
    const value = (bytes: Uint8Array) => {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      const mine = size === 0 || (buffer.readUInt32BE(0) === nonce && buffer.readUInt32BE(size - 4) === nonce)
      return bytes.length === size && mine
    }
    const what = `give ${nonce} of ${size} bytes`
    return this.make({ what, timeout: settings.timeout, value }, Flame.call(Functions.give, { nonce, size }))
  }

  private refuse() {
    const nonce = nonces++
    const error = (error: unknown) => error instanceof Functions.Refusal && error.nonce === nonce
    return this.make(
      { what: `refuse ${nonce}`, timeout: settings.timeout, error },
      Flame.call(Functions.refuse, { nonce })
    )
  }

  private die() {
    const nonce = nonces++
    const defect = ({ message }: Flame.RemoteDefect) => message.endsWith(`call ${nonce} dies`)
    return this.make({ what: `die ${nonce}`, timeout: settings.timeout, defect }, Flame.call(Functions.die, { nonce }))
  }

  private never(random: Random.Random) {
    const nonce = nonces++
    const timeout = 20 + random() * 1_000
    return this.make({ what: `never ${nonce}`, timeout }, Flame.call(Functions.never, { nonce }, { timeout }))
  }

  private tooLarge() {
    const nonce = nonces++
    const reasons = ["PayloadTooLarge"] as const
    const terms = { timeout: settings.timeout, reasons }
    const payload = Flame.call(Functions.carry, { nonce, bytes: noise })
    const size = settings.maxResult + 4
    return Effect.andThen(
      this.make({ ...terms, what: "a payload that is too large" }, payload),
      this.make({ ...terms, what: "a result that is too large" }, Flame.call(Functions.give, { nonce, size }))
    )
  }

  private invalid() {
    const call = Flame.call(Functions.wait, { nonce: 0.5, millis: 1 })
    return this.make({ what: "invalid", timeout: settings.timeout, reasons: ["InvalidPayload"] }, call)
  }

  /** A call of which runners note that it ran. */
  private mark(random: Random.Random) {
    const nonce = nonces++
    const idempotent = random() < 0.3
    const timeout = random() < 0.3 ? random() * 600 : settings.timeout
    const payload = { nonce, millis: random() * 400 }
    const call = idempotent
      ? Flame.call(Functions.markAgain, payload, { timeout })
      : Flame.call(Functions.mark, payload, { timeout })
    const expected = { what: `mark ${nonce}`, timeout, idempotent, value: (value: number) => value === nonce }
    return Effect.map(this.make(expected, call), ({ exit, reason }) => {
      // an idempotent call that waits may have run already, on a runner that was lost
      const outcome = Exit.isSuccess(exit) ? "ran" : idempotent ? "unknown" : outcomeOf(reason)
      this.marks.tell({ nonce, idempotent, outcome, message: reason?.message ?? "", at: Date.now() })
    })
  }

  private cast(random: Random.Random) {
    const nonce = nonces++
    const call = Effect.as(Flame.cast(Functions.mark, { nonce, millis: random() * 300 }), nonce)
    const expected = { what: `cast ${nonce}`, timeout: settings.timeout, value: () => true }
    return Effect.map(this.make(expected, call), ({ exit, reason }) => {
      const outcome = Exit.isSuccess(exit) ? "cast" : "not run"
      this.marks.tell({ nonce, idempotent: false, outcome, message: reason?.message ?? "", at: Date.now() })
    })
  }

  /** A call whose caller is interrupted: the word comes after the finalizers on the runner. */
  private interrupted(nonce: number, call: Called<number>, after: number, grace: number) {
    return Effect.map(this.interrupting(`interrupted mark ${nonce}`, call, after, grace), ({ reason, took, value }) => {
      const given = took >= grace ? "given up" : "interrupted"
      const outcome = value !== undefined ? "ran" : reason !== undefined ? outcomeOf(reason) : given
      this.marks.tell({ nonce, idempotent: false, outcome, message: reason?.message ?? "", at: Date.now() })
    })
  }

  /** A large call that ends in the middle of its way. */
  private hangUp(random: Random.Random) {
    const bytes = this.bytes(random)
    const call = Flame.call(Functions.mirror, bytes)
    return this.interrupting(`hang-up on ${bytes.length} bytes`, call, random() * 30, settings.cancelGrace)
  }

  private interrupting<A>(what: string, call: Called<A>, after: number, grace: number) {
    return Effect.gen({ self: this }, function* () {
      const fiber = yield* Effect.forkDetach(call, { startImmediately: true })
      yield* Effect.sleep(after)
      const asked = performance.now()
      const close = this.ledger.begin(what, grace)
      yield* Fiber.interrupt(fiber)
      close()
      const took = performance.now() - asked
      const exit = yield* Fiber.await(fiber)
      if (Exit.isFailure(exit) && exit.cause.reasons.every(({ _tag }) => _tag === "Interrupt")) {
        this.ledger.count("interrupted")
        return { took, value: undefined, reason: undefined }
      }
      const expected = { what, timeout: settings.timeout, value: () => true }
      const reason = this.judge.look(expected, exit, after + took)
      return { took, reason, value: Exit.isSuccess(exit) ? exit.value : undefined }
    })
  }

  /** Calls on one runner: all of them run there. */
  private leased(random: Random.Random) {
    const seen = new Set<string>()
    const value = ({ runner }: { readonly runner: string }) => seen.add(runner).size === 1
    const one = this.make({ what: "leased where", timeout: settings.timeout, value }, Flame.call(Functions.where))
    const three = Effect.andThen(
      Effect.repeat(Effect.andThen(one, Effect.sleep(random() * 50)), { times: 2 }),
      Effect.void
    )
    const expected = { what: "withRunner", timeout: settings.timeout * 4, value: () => true }
    return this.make(expected, Pool.withRunner(three))
  }

  /** What costs a runner: a loop that does not end in time, an exit, a crash. */
  private rarely(random: Random.Random) {
    if (random() < 0.6) return Effect.void
    if (random() < 0.5) {
      const nonce = nonces++
      const timeout = 300
      const value = (value: number) => value === nonce
      const call = Flame.call(Functions.compute, { nonce, millis: 500 + random() * 3_000 }, { timeout })
      return this.make({ what: `block ${nonce}`, timeout, value }, call)
    }
    const how = random() < 0.5 ? "exit" : "signal"
    return this.make({ what: how, timeout: settings.timeout }, Flame.call(Functions.leave, { how }))
  }
}

const outcomeOf = (reason: FlameError.Reason | undefined): Told["outcome"] => {
  switch (reason?._tag) {
    case "QueueFull":
      return "not run"
    case "TimedOut":
      return reason.phase === "running" ? "unknown" : "not run"
    case "RunnerLost":
      return reason.mayHaveRun ? "unknown" : "not run"
    default:
      return "unknown"
  }
}
