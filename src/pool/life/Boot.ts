/** The boot of one runner: hook, launch, handshake. It is interruptible and bounded. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { BootPhase, RunnerProcess } from "../../backend/Backend.ts"
import { BeforeBootFailed, type BootFailure, LaunchFailed, NeverConnected } from "../../error/BootFailure.ts"
import { connect, type RunnerTerms } from "../engine/Introduction.ts"
import type { RunnerHandle } from "../engine/RunnerHandle.ts"
import type { LifeParts, LivingRunner } from "./LivingRunner.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"

/** What a boot dies with that nobody needs any more. */
export const givenUp: unique symbol = Symbol("the boot was given up")

/** Makes a runner exist, and lets it in; the scope owns it. */
export const boot = (
  runner: LivingRunner,
  index: number,
  parts: LifeParts,
  engine: PoolEngine,
  scope: Scope.Scope,
  started: number
): Effect.Effect<RunnerHandle, BootFailure> => {
  const { settings } = engine
  const { beforeBoot } = parts.hooks
  const { progress } = runner
  const launch = Effect.gen(function* () {
    if (beforeBoot !== undefined) {
      yield* Effect.catchCause(
        Effect.suspend(() => beforeBoot(runner.id)),
        (cause) => Effect.fail(new BeforeBootFailed({ detail: Cause.pretty(cause).split("\n")[0] ?? "" }))
      )
      progress.reached("beforeBoot")
    }
    const process = yield* Scope.provide(
      parts.backend.launch({
        id: runner.id,
        pool: parts.pool,
        life: parts.life,
        bootTimeout: settings.bootTimeout,
        drainTimeout: settings.drainTimeout,
        cancelGrace: settings.cancelGrace,
        isKept: runner.isKept,
        maxLifetime: settings.maxLifetime
      }),
      scope
    )
    runner.process = process
    progress.reached("launched")
    const step = (tag: "Scheduled" | "Unscheduled") => engine.step({ _tag: tag, now: engine.now(), runner: index })
    const follow = (phase: BootPhase) =>
      Effect.sync(() => {
        progress.backend(phase)
        if (phase.name === "waiting" && !isScheduled) step("Unscheduled")
      })
    let isScheduled = process.scheduled === undefined
    if (process.scheduled !== undefined) {
      parts.beside(
        // a boot that failed may never come to either
        Effect.map(Effect.raceAllFirst([process.scheduled, process.exit, Deferred.await(runner.over)]), () => {
          isScheduled = true
          step("Scheduled")
        })
      )
    }
    parts.beside(Stream.runForEach(process.phases, follow))
    return process
  })
  const session = (process: RunnerProcess) =>
    Effect.raceFirst(
      Effect.flatMap(process.connection, (transport) =>
        connect(transport, termsOf(runner, parts, engine), (body) => runner.log.take(body, parts.beside))
      ),
      Effect.flatMap(process.exit, (exit) => Effect.fail(process.bootFailure(exit)))
    )
  const late = () => {
    const { phase } = progress
    const hint = runner.process?.hint?.() ?? hintOf(phase)
    return Effect.fail(new NeverConnected({ phase, hint, after: settings.bootTimeout }))
  }
  const booted = Effect.gen(function* () {
    const process = yield* Effect.timeoutOrElse(launch, { duration: settings.bootTimeout, orElse: late })
    // a place may be long in coming, and is waited for by the backend; the time for the boot itself counts from there
    const deadline = Effect.flatMap(process.scheduled ?? Effect.void, () => {
      const left =
        process.scheduled === undefined ? started + settings.bootTimeout - engine.now() : settings.bootTimeout
      return Effect.flatMap(Effect.sleep(Math.max(0, left)), late)
    })
    const handle = yield* Effect.raceFirst(session(process), deadline)
    progress.serves(handle.hello.steps)
    return handle
  })
  return Effect.raceFirst(
    booted,
    Effect.flatMap(Deferred.await(runner.givenUp), () => Effect.die(givenUp))
  ).pipe(
    Effect.catchDefect((defect) =>
      defect === givenUp
        ? Effect.die(defect)
        : Effect.fail(new LaunchFailed({ detail: defect instanceof Error ? defect.message : String(defect) }))
    )
  )
}

const termsOf = (runner: LivingRunner, parts: LifeParts, engine: PoolEngine): RunnerTerms => {
  const { cancelGrace, drainTimeout, logLevel, maxPayload, maxResult } = engine.settings
  return {
    runner: runner.id,
    life: parts.life,
    fingerprints: engine.fingerprints,
    cancelGrace,
    drainTimeout,
    maxPayload,
    maxResult,
    ...(logLevel === undefined ? {} : { logLevel })
  }
}

/** What to look at when a boot took too long, by the step it had reached. */
const hintOf = (phase: string): string => {
  switch (phase) {
    case "beforeBoot":
      return "the beforeBoot hook or the launch took the whole bootTimeout"
    case "connected":
      return "it connected but never served; are its services slow to build? raise `bootTimeout`"
    default:
      return "its program runs but never served; does its entry call Flame.main or FlameRunner.serve, and is nothing in its way before that? else raise `bootTimeout`"
  }
}
