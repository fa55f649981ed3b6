/**
 * What has to happen between a signal to this process and the interruption of its program.
 *
 * `Flame.runMain` runs it; under another `runMain` nobody does, and a signal interrupts at once.
 */
import * as Effect from "effect/Effect"

const drains = new Set<Effect.Effect<void>>()
let signalled = false
let used = false

/**
 * Registers what is to be done on the first signal, until the function that comes back is called.
 *
 * It must end by itself: nothing bounds it but a second signal, which interrupts it.
 */
export const onSignal = (drain: Effect.Effect<void>): (() => void) => {
  used = true
  drains.add(drain)
  return () => {
    drains.delete(drain)
  }
}

/** Whether something was ever registered: a runner that has not, has not come to serve. */
export const wasUsed = (): boolean => used

/** Whether a signal has come: nothing new is to begin. */
export const isSignalled = (): boolean => signalled

/** Runs all that is registered side by side, each once; also what is registered meanwhile. */
export const drain: Effect.Effect<void> = Effect.gen(function* () {
  signalled = true
  while (drains.size > 0) {
    const batch = [...drains]
    drains.clear()
    // one that dies must not keep the others from being drained
    yield* Effect.forEach(batch, Effect.ignoreCause({ log: true }), { concurrency: "unbounded", discard: true })
  }
})
