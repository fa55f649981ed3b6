/** How a caller of the soak makes a call, and checks its end. */
import { randomFillSync } from "node:crypto"
import { Effect, Exit, Fiber, Latch } from "effect"
import type { FlameError, Pool } from "../../src/index.ts"
import * as Random from "../simulation/Random.ts"
import type { Calm } from "./Functions.ts"
import type { Expected, Judge } from "./Judge.ts"
import type { Ledger } from "./Ledger.ts"
import type { Marks, Told } from "./Marks.ts"

export const settings = {
  /** The timeout of a call that sets none, in milliseconds. */
  timeout: 20_000,
  cancelGrace: 1_000,
  drainTimeout: 3_000,
  queueCapacity: 300,
  maxPayload: 14 * 1024 * 1024,
  maxResult: 12 * 1024 * 1024
}

/** `cancelGrace` of the calm pool in milliseconds: long enough that only a lost cancellation takes this time. */
export const calmGrace = 10_000

export const largest = 8 * 1024 * 1024
export const noise = randomFillSync(Buffer.allocUnsafe(largest * 2))
export const words = ["", "word", "Größe ☃", "a\u0000b", "x".repeat(2_000), "👩‍🚀".repeat(300)]

let nonces = 0

/** The next number that identifies a call, in this process and on its runner. */
export const nextNonce = (): number => nonces++

export type Called<A> = Effect.Effect<A, unknown, Pool | Calm>

/** Bytes of a random length whose logarithm is uniform: as many small values as large ones. */
export const bytesOf = (random: Random.Random): Uint8Array => {
  const size = Math.floor(largest ** random())
  const from = Math.floor(random() * (noise.length - size))
  return Uint8Array.prototype.slice.call(noise, from, from + size)
}

export class Calling {
  /** Closed while the books are compared. */
  readonly gate = Latch.makeUnsafe(true)
  readonly marks: Marks
  private readonly ledger: Ledger
  private readonly judge: Judge

  constructor(ledger: Ledger, judge: Judge, marks: Marks) {
    this.ledger = ledger
    this.judge = judge
    this.marks = marks
  }

  /** Makes calls of random kinds, for ever. */
  forever(random: Random.Random, kinds: ReadonlyArray<() => Called<unknown>>) {
    const one = Effect.suspend(() => Random.pick(kinds, random())!())
    // Callers pause now and then. Otherwise no runner would ever be idle.
    const pause = Effect.suspend(() => (random() < 0.2 ? Effect.sleep(random() * 100) : Effect.void))
    return Effect.forever(
      Effect.andThen(this.gate.await, Effect.andThen(Effect.ignoreCause(Effect.asVoid(one)), pause))
    )
  }

  /** Makes a call and judges its end. */
  make<A>(expected: Expected<A>, call: Called<A>) {
    return Effect.suspend(() => {
      const started = performance.now()
      const close = this.ledger.begin(expected.what, expected.timeout + settings.cancelGrace)
      return Effect.map(Effect.exit(call), (exit) => {
        close()
        return { exit, reason: this.judge.look(expected, exit, performance.now() - started) }
      })
    })
  }

  /** A call whose caller is interrupted. The interruption completes after the finalizers on the runner. */
  interrupted(nonce: number, call: Called<number>, after: number, grace: number) {
    return Effect.map(this.interrupting(`interrupted mark ${nonce}`, call, after, grace), ({ reason, took, value }) => {
      const given = took >= grace ? "given up" : "interrupted"
      const outcome = value !== undefined ? "ran" : reason !== undefined ? outcomeOf(reason) : given
      this.marks.tell({ nonce, idempotent: false, outcome, message: reason?.message ?? "", at: Date.now() })
    })
  }

  /** Makes a call, and interrupts it after that many milliseconds if it has not ended. */
  interrupting<A>(what: string, call: Called<A>, after: number, grace: number) {
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
}

/** The caller's knowledge of a run, after its call has ended with this reason. */
export const outcomeOf = (reason: FlameError.Reason | undefined): Told["outcome"] => {
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
