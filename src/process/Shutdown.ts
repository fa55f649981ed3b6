/**
 * The work between a signal to this process and the interruption of its program.
 *
 *   signal ──▶ apps close, while pools still serve ──▶ pools and runners drain ──▶ the program is interrupted
 *
 * `runMain.ts` listens for the signals and runs this work. Under another `runMain` the work is not run, and a signal
 * interrupts the program at once.
 *
 * The time of the drain is set by each pool: its `shutdownBudget` (`pool/runtime/PoolRuntime.ts`) is `drainTimeout`. In a
 * pod, `kubernetes/hub/DrainBudget.ts` reduces it to the time before the kubelet kills the pod.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/** Something that has to end before the program is interrupted: a pool, or the serving of a runner. */
export interface Draining {
  /**
   * Milliseconds that the drain may take, the closing of apps included. Evaluated once, at the signal. Default: none.
   */
  readonly budget?: Effect.Effect<number>
  /** Ends the pool or the serving. Must end by itself, because only a second signal interrupts it. */
  readonly drain: Effect.Effect<void>
}

const apps = new Set<Effect.Effect<void>>()
const drainings = new Set<Draining>()
const listeners = new Set<() => void>()
let signalled = false
let used = false
let hadApp = false
let cut = false

/** Registers work to drain on the first signal. The returned function removes the registration. */
export const onSignal = (draining: Draining): (() => void) => {
  used = true
  drainings.add(draining)
  return () => {
    drainings.delete(draining)
  }
}

/** Registers an app to close on the first signal, before the drain. The returned function removes the registration. */
export const closeFirst = (close: Effect.Effect<void>): (() => void) => {
  used = true
  hadApp = true
  apps.add(close)
  return () => {
    apps.delete(close)
  }
}

/** Calls `listener` when a shutdown begins, before apps close. The returned function removes the listener. */
export const onBegin = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

/** Whether anything was ever registered. A runner without a registration does not serve yet. */
export const wasUsed = (): boolean => used

/** Whether a signal has arrived, so that no new work may start. */
export const isSignalled = (): boolean => signalled

/** Records that the shutdown did not wait for everything: an app was not closed in time, or calls were cut. */
export const markCut = (): void => {
  cut = true
}

/** Whether this process has had an app to close on a signal. */
export const hadAppToClose = (): boolean => hadApp

/** Whether this process has had an app to close on a signal, and everything ended within its budget. */
export const isComplete = (): boolean => hadApp && !cut

/** Milliseconds of this process. `performance` is not loaded in every runner, and loading it takes CPU of the boot. */
const now = (): number => process.uptime() * 1_000

/**
 * Closes the apps, then drains all registered work concurrently, each once, work that is registered meanwhile included.
 */
export const drain: Effect.Effect<void> = Effect.gen(function* () {
  signalled = true
  for (const listener of listeners) listener()
  if (apps.size > 0) yield* closeApps
  while (drainings.size > 0) {
    const batch = [...drainings]
    drainings.clear()
    yield* sideBySide(batch.map(({ drain }) => drain))
  }
})

const closeApps = Effect.gen(function* () {
  const began = now()
  const closing = yield* Effect.forkDetach(sideBySide([...apps]))
  apps.clear()
  // Evaluated while the apps already close, because a pod asks the API server for its remaining time.
  const budgets = [...drainings].flatMap(({ budget }) => (budget === undefined ? [] : [budget]))
  const given = yield* Effect.all(budgets, { concurrency: "unbounded" })
  const left = given.length === 0 ? Infinity : Math.max(0, Math.max(...given) - (now() - began))
  yield* Effect.timeoutOrElse(Fiber.await(closing), { duration: left, orElse: () => Effect.sync(markCut) })
})

/** Runs effects concurrently. An effect that dies is logged, and the others go on. */
const sideBySide = (effects: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<void> =>
  Effect.forEach(effects, Effect.ignoreCause({ log: true }), { concurrency: "unbounded", discard: true })
