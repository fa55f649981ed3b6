/** The boot of one runner: `beforeBoot`, launch, handshake, within `bootTimeout`. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { BootPhase, RunnerProcess } from "../../backend/Backend.ts"
import { BeforeBootFailed, type BootFailure, LaunchFailed, NeverConnected } from "../../error/BootFailure.ts"
import { connect, type RunnerTerms } from "../engine/Introduction.ts"
import type { RunnerHandle } from "../engine/RunnerHandle.ts"
import { Kind } from "../../wire/Frame.ts"
import type { LifeParts, LivingRunner } from "./LivingRunner.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"
import * as Policy from "../policy/Policy.ts"

/** The defect of a boot that the pool has given up. */
export const givenUp: unique symbol = Symbol("the boot was given up")

/** Launches a runner and connects its session. The scope owns the runner. */
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
      const hook = Effect.suspend(() => beforeBoot(runner.id, Policy.snapshot(engine.state).runners))
      yield* Effect.catchCause(leavable(hook, parts.beside), (cause) =>
        Effect.fail(new BeforeBootFailed({ detail: Cause.pretty(cause).split("\n")[0] ?? "" }))
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
        // A boot that fails may reach neither.
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
        connect(transport, termsOf(runner, parts, engine), (kind, body) =>
          kind === Kind.Logs ? runner.log.take(body, parts.beside) : runner.metrics.take(body)
        )
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
    // The backend bounds the wait of a pod for a node. `bootTimeout` begins once the pod is scheduled.
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

/**
 * Waits for a hook on a fiber of its own. The hook is interrupted with its boot, but the boot does not wait for the hook,
 * which may be uninterruptible. A boot that waited could be neither late nor given up, and its pool would never close.
 */
const leavable = <E>(hook: Effect.Effect<void, E>, beside: LifeParts["beside"]): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    const done = Deferred.makeUnsafe<void, E>()
    const left = Deferred.makeUnsafe<void>()
    const run = Effect.flatMap(Effect.exit(hook), (exit) => Deferred.done(done, exit))
    beside(Effect.asVoid(Effect.raceFirst(run, Deferred.await(left))))
    return Effect.onInterrupt(Deferred.await(done), () => Deferred.succeed(left, undefined))
  })

const termsOf = (runner: LivingRunner, parts: LifeParts, engine: PoolEngine): RunnerTerms => {
  const { cancelGrace, drainTimeout, logLevel, maxPayload, maxResult, metricsInterval } = engine.settings
  return {
    runner: runner.id,
    life: parts.life,
    fingerprints: engine.fingerprints,
    declared: engine.declared,
    cancelGrace,
    drainTimeout,
    maxPayload,
    maxResult,
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(metricsInterval === undefined ? {} : { metricsInterval })
  }
}

/** The hint for a boot that took too long, by the step that it had reached. */
const hintOf = (phase: string): string => {
  switch (phase) {
    case "beforeBoot":
      return "the beforeBoot hook or the launch took the whole bootTimeout"
    case "connected":
      return "it connected but did not serve in time: look whether its services are slow to build, or raise `bootTimeout`"
    default:
      return "its program runs but did not serve in time: look whether its entry calls Flame.main or FlameRunner.serve, and what it does before that, or raise `bootTimeout`"
  }
}
