/**
 * The life of one runner, as a fiber of the parent: boot (`Boot.ts`), session, reason of its end, removal.
 *
 * Everything that the boot creates belongs to one scope. `live` closes the scope however the boot or the session ends.
 * `LivingRunner.ts` has what the parent knows of the runner meanwhile.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { RunnerProcess } from "../../backend/Backend.ts"
import { type BootFailure, EndedEarly, isTransient, LaunchFailed } from "../../error/BootFailure.ts"
import { Disconnected, Killed, type RunnerExit } from "../../error/RunnerExit.ts"
import type { RunnerHandle } from "../engine/RunnerHandle.ts"
import { boot, givenUp } from "./Boot.ts"
import type { Call } from "../engine/Call.ts"
import { NestedSession } from "./NestedSession.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"
import type { BootOutcome } from "../option/PoolOptions.ts"
import * as LifeLog from "./LifeLog.ts"
import { lossReport } from "./LossReport.ts"
import type { LifeParts, LivingRunner } from "./LivingRunner.ts"
import * as Policy from "../policy/Policy.ts"

/** The exit of a runner of which only the end of its connection is known. */
const unknown: RunnerExit = { reason: new Disconnected({}), gone: false }

/**
 * Milliseconds that a caller waits for the reason of its runner's end, after the pool has cut the calls. A runner may end
 * while the finalizers of its cut calls run. The wait is short, because the pool still has to remove its runners.
 */
const lastReasons = 500

/** Completes 500 ms after the pool has cut its calls. */
const outOfPatience = (outOfTime: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.andThen(outOfTime, Effect.sleep(lastReasons))

/** The exit that the backend reports within `millis`, and before `outOfTime` completes. `unknown` otherwise. */
const reasonWithin = (
  process: RunnerProcess,
  millis: number,
  outOfTime: Effect.Effect<void>
): Effect.Effect<RunnerExit> =>
  // `unknown` comes one turn after the timer: in a busy parent, timers run before the end of a process is reported.
  Effect.raceAllFirst([
    process.exit,
    Effect.andThen(Effect.raceFirst(Effect.sleep(millis), outOfTime), Effect.as(Effect.yieldNow, unknown))
  ]).pipe(
    Effect.catchCause((cause) =>
      Effect.as(Effect.logError("the backend could not report how a runner ended", cause), unknown)
    )
  )

/** Boots a runner, runs its session to the end, and removes all that the boot has created. */
export const live = (runner: LivingRunner, index: number, parts: LifeParts, engine: PoolEngine): Effect.Effect<void> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    // A pool that closes in the turn of the boot gives the boot up before it starts.
    const isWanted = !Deferred.isDoneUnsafe(runner.givenUp)
    const exit = yield* Effect.exit(isWanted ? serve(runner, index, parts, engine, scope) : Effect.undefined)
    // The pool must learn that the runner is gone, also if the backend fails to remove it.
    const closed = yield* Effect.exit(Scope.close(scope, exit))
    if (Exit.isFailure(closed)) yield* Effect.logError(`runner ${runner.id} could not be removed`, closed.cause)
    const end = Exit.isSuccess(exit) ? exit.value : undefined
    const lost = end === givenUp ? undefined : end
    if (lost?.exit === unknown) yield* tellLate(runner, lost, parts, engine)
    runner.gone()
    engine.runners.delete(index)
    engine.step({ _tag: "Gone", now: engine.now(), runner: index })
    // Published last, so that a reader of `RunnerGone` finds nothing of the runner, neither in the system nor in the
    // status.
    if (lost !== undefined)
      parts.publish({ _tag: "RunnerGone", pool: parts.pool, runner: runner.id, exit: lost.exit, why: lost.why })
    if (lost?.why !== undefined && lost.calls.length === 0) {
      const age = engine.now() - (runner.readyAt ?? runner.startedAt)
      yield* LifeLog.ended(engine.settings.log, parts.pool, runner.id, lost.why, age, lost.exit)
    }
    if (end === givenUp) parts.publish({ _tag: "BootGivenUp", pool: parts.pool, runner: runner.id, why: runner.why })
  })

const serve = Effect.fnUntraced(function* (
  runner: LivingRunner,
  index: number,
  parts: LifeParts,
  engine: PoolEngine,
  scope: Scope.Scope
) {
  const { id } = runner
  const { pool } = parts
  const started = runner.startedAt
  parts.publish({ _tag: "BootStarted", pool, runner: id })
  const booted = yield* Effect.exit(boot(runner, index, parts, engine, scope, started))
  const took = engine.now() - started
  if (Exit.isFailure(booted)) {
    const squashed = Cause.squash(booted.cause)
    if (squashed === givenUp) return givenUp
    // A boot that the pool gives up dies with `givenUp`. So the boot has interrupted itself, for example in a hook of the
    // user. Such a boot counts as failed, with a pause after it.
    const cause = Cause.hasInterruptsOnly(booted.cause)
      ? new LaunchFailed({ detail: "its boot was interrupted" })
      : (squashed as BootFailure)
    parts.metrics.booted(took, false)
    const transient = isTransient(cause)
    parts.publish({
      _tag: "BootFailed",
      pool,
      runner: id,
      cause,
      transient,
      runners: Policy.snapshot(engine.state).runners - 1
    })
    yield* Effect.logWarning(`runner ${id} of pool ${pool} did not boot: ${cause.message}`)
    if (hasOutput(cause)) runner.process?.outputReported?.()
    runAfterBoot(parts, { pool, runner: id, failure: cause, took })
    engine.step({ _tag: "BootFailed", now: engine.now(), runner: index, transient, cause })
    return
  }
  const handle = booted.value
  ready(runner, index, handle, parts, engine, took)
  const { log, max } = engine.settings
  yield* LifeLog.ready(log, pool, id, took, Policy.snapshot(engine.state).runners, max)
  yield* Deferred.await(runner.over)
  return yield* ended(runner, index, parts, engine)
})

const ready = (
  runner: LivingRunner,
  index: number,
  handle: RunnerHandle,
  parts: LifeParts,
  engine: PoolEngine,
  took: number
): void => {
  const { id } = runner
  const { pool } = parts
  runner.handle = handle
  runner.readyAt = engine.now()
  const nested = new NestedSession(engine, parts.backend, handle, parts.beside, (bytes) => runner.log.allows(bytes))
  handle.events = {
    nested: (kind, id, body, large) => nested.message(kind, id, body, large),
    nestedItems: (id, bytes) => nested.items(id, bytes),
    nestedGrant: (id, more) => nested.grant(id, more),
    acceptNested: (id, total) => nested.accept(id, total),
    draining: () => engine.step({ _tag: "RunnerDraining", now: engine.now(), runner: index }),
    responsive(answers) {
      runner.silentSince = answers ? undefined : engine.now()
      engine.step({ _tag: answers ? "Responsive" : "Unresponsive", now: engine.now(), runner: index })
      // After the policy: a reader of the event may call at once, and must see the new state.
      parts.publish({ _tag: answers ? "RunnerResponsive" : "RunnerUnresponsive", pool, runner: id })
    },
    closed: ({ violation }) => {
      nested.stopAll()
      if (violation !== undefined)
        parts.beside(Effect.logError(`the connection of runner ${id} was ended: it sent ${violation}`))
      Deferred.doneUnsafe(runner.over, Exit.void)
    }
  }
  // The session ended between the handshake and this turn, when `closed` was not set yet.
  if (handle.link.closed) Deferred.doneUnsafe(runner.over, Exit.void)
  parts.metrics.booted(took, true)
  const otherBuild = handle.hello.build === parts.build ? undefined : handle.hello.build
  if (runner.process !== undefined) {
    // Another process can hold the connection open after the end of the runner.
    parts.beside(
      Effect.flatMap(runner.process.exit, () =>
        Effect.delay(
          Effect.sync(() => handle.link.destroy()),
          100
        )
      )
    )
  }
  const leaving = runner.process?.leaving
  if (leaving !== undefined) {
    const until = Effect.raceFirst(leaving, Effect.andThen(Deferred.await(runner.over), Effect.undefined))
    parts.beside(
      Effect.map(until, (news) => {
        if (news === undefined) return
        runner.endsWithin(news.budget)
        runner.leavesFor = news.reason
        if (news.sooner !== undefined) {
          const sooner = Effect.map(news.sooner, (budget) => runner.endsWithin(budget))
          parts.beside(Effect.raceFirst(sooner, Deferred.await(runner.over)))
        }
        engine.step({ _tag: "RunnerDraining", now: engine.now(), runner: index })
        // After the policy: a reader of the event may call at once, and the call must not run on this runner.
        parts.publish({ _tag: "RunnerLeaving", pool, runner: id, why: news.why })
      })
    )
  }
  engine.step({ _tag: "Ready", now: engine.now(), runner: index })
  parts.publish({
    _tag: "RunnerReady",
    pool,
    runner: id,
    labels: runner.labels,
    phases: { ...runner.phases },
    otherBuild
  })
  runAfterBoot(parts, { pool, runner: id, failure: undefined, took })
  // A runner that was told to leave during its handshake has already sent its Draining.
  if (handle.isDraining) handle.events.draining()
  // The policy gave this boot up after the handshake and before this turn, so nothing has told the runner to leave.
  if (Deferred.isDoneUnsafe(runner.givenUp)) runner.leave(runner.why ?? "close", engine.settings.drainTimeout)
}

/** The end of a session, and the calls that it had. */
interface Lost {
  readonly calls: ReadonlyArray<Call>
  readonly why: Policy.DrainReason | undefined
  exit: RunnerExit
}

/**
 * Resolves the calls of a closed session: each fails or is sent again, once the reason is known or `reasonGrace` has passed.
 */
const ended = Effect.fnUntraced(function* (runner: LivingRunner, index: number, parts: LifeParts, engine: PoolEngine) {
  const { process, why } = runner
  if (process === undefined) return undefined
  const lost: Lost = { calls: engine.unanswered.sessionOver(index), why, exit: unknown }
  lost.exit = yield* reasonWithin(process, engine.settings.reasonGrace, outOfPatience(parts.outOfTime))
  // The reason is known for a runner that the pool has killed, however late the system reports it.
  const { killedBy } = runner
  const killed: RunnerExit | undefined =
    killedBy === undefined ? undefined : { reason: new Killed({ signal: "SIGKILL", by: killedBy }), gone: false }
  const told = lost.exit === unknown ? (killed ?? unknown) : lost.exit
  engine.unanswered.lost.tell(lost.calls, runner.id, told)
  const early = Policy.endedEarly(engine.state, index) ? endedEarly(runner, index, told, parts, engine) : undefined
  // Waits for the reason before the scope closes: the close ends a runner that still runs, and its exit would report only
  // that.
  if (lost.exit === unknown) {
    lost.exit = yield* reasonWithin(process, engine.settings.cancelGrace, parts.outOfTime)
    if (lost.exit !== unknown) toldLate(runner, lost, parts, engine)
  }
  const known = lost.exit === unknown ? (killed ?? unknown) : lost.exit
  // A runner that was told to go exits with 0: another code with output is a crash on the way out.
  const isCrash = known.reason._tag === "Exited" && known.reason.code !== 0 && hasOutput(known.reason)
  if (why === undefined || lost.calls.length > 0 || isCrash) {
    yield* Effect.logWarning(lossReport(runner.id, parts.pool, known, lost.calls, early))
    if (hasOutput(known.reason)) process.outputReported?.()
  }
  if (why === undefined) {
    parts.metrics.runnersLost++
    const { onRunnerLost } = parts.hooks
    const { exit } = lost
    if (onRunnerLost !== undefined) runHook(parts, "onRunnerLost", runner.id, () => onRunnerLost(runner.id, exit))
  }
  return lost
})

/** Whether the message of an end has the last output of the runner. */
const hasOutput = (reason: object): boolean =>
  "stderr" in reason && typeof reason.stderr === "string" && reason.stderr.trim() !== ""

/**
 * Counts a runner that ended soon after it was ready as a failed boot. Returns the milliseconds from ready to its end.
 */
const endedEarly = (
  runner: LivingRunner,
  index: number,
  exit: RunnerExit,
  parts: LifeParts,
  engine: PoolEngine
): number => {
  const { pool } = parts
  const after = engine.now() - (runner.readyAt ?? runner.startedAt)
  const cause = new EndedEarly({ after, detail: exit.reason.message })
  parts.metrics.bootsFailed++
  engine.step({ _tag: "EndedEarly", now: engine.now(), runner: index, cause })
  const { runners } = Policy.snapshot(engine.state)
  parts.publish({ _tag: "BootFailed", pool, runner: runner.id, cause, transient: true, runners: runners - 1 })
  return after
}

/** Waits for a reason that was still unknown when the scope closed. After `reasonGrace` it is reported in the background. */
const tellLate = Effect.fnUntraced(function* (runner: LivingRunner, lost: Lost, parts: LifeParts, engine: PoolEngine) {
  const { process } = runner
  if (process === undefined) return
  lost.exit = yield* reasonWithin(process, engine.settings.reasonGrace, parts.outOfTime)
  if (lost.exit !== unknown) return toldLate(runner, lost, parts, engine)
  parts.beside(
    Effect.map(process.exit, (exit) => {
      if (exit.gone || exit.reason._tag !== "Disconnected") toldLate(runner, { ...lost, exit }, parts, engine)
    })
  )
})

const toldLate = (runner: LivingRunner, { calls, exit, why }: Lost, parts: LifeParts, engine: PoolEngine): void => {
  if (why === undefined) parts.publish({ _tag: "LateReason", pool: parts.pool, runner: runner.id, exit })
  if (exit.gone) engine.unanswered.lost.tell(calls, runner.id, exit)
}

const runAfterBoot = (parts: LifeParts, outcome: BootOutcome): void => {
  const { afterBoot } = parts.hooks
  if (afterBoot !== undefined) runHook(parts, "afterBoot", outcome.runner, () => afterBoot(outcome))
}

const runHook = (parts: LifeParts, name: string, runner: string, hook: () => Effect.Effect<void, unknown>): void =>
  parts.beside(
    Effect.catchCause(Effect.suspend(hook), (cause) =>
      Effect.logWarning(`${name} of pool ${parts.pool} failed for runner ${runner}`, cause)
    )
  )
