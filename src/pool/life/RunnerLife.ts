/**
 * One runner from its boot to its end, as a fiber: boot, session, reason of its end, removal.
 *
 * What the boot made exist belongs to a scope that is closed in any case.
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
import { lossReport } from "./LossReport.ts"
import type { LifeParts, LivingRunner } from "./LivingRunner.ts"
import * as Policy from "../policy/Policy.ts"

/** Nothing is known but that its connection is gone. */
const unknown: RunnerExit = { reason: new Disconnected({}), gone: false }

/**
 * How long a caller whose call was cut at the end of a drain waits for the reason of an end, in milliseconds. Finalizers of
 * cut calls run for `cancelGrace`, so that a runner may end amid them; but the time is for taking the runners away.
 */
const lastReasons = 500

/** Completes when a caller whose session is over now, or was at the cut, has waited for its reason for long enough. */
const outOfPatience = (outOfTime: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.andThen(outOfTime, Effect.sleep(lastReasons))

/** What the backend says within some milliseconds, or before `outOfTime` completes; else `unknown`. */
const reasonWithin = (
  process: RunnerProcess,
  millis: number,
  outOfTime: Effect.Effect<void>
): Effect.Effect<RunnerExit> =>
  // a turn later: a parent that computed is told of the end of a process after its own timers
  Effect.raceAllFirst([
    process.exit,
    Effect.andThen(Effect.raceFirst(Effect.sleep(millis), outOfTime), Effect.as(Effect.yieldNow, unknown))
  ]).pipe(
    Effect.catchCause((cause) =>
      Effect.as(Effect.logError("a backend could not tell how a runner ended", cause), unknown)
    )
  )

/** Boots a runner, sees it through its session, and removes every trace of it. */
export const live = (runner: LivingRunner, index: number, parts: LifeParts, engine: PoolEngine): Effect.Effect<void> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    // given up before its turn came, as by a pool that closes in the turn that wanted it: nothing of it begins
    const isWanted = !Deferred.isDoneUnsafe(runner.givenUp)
    const exit = yield* Effect.exit(isWanted ? serve(runner, index, parts, engine, scope) : Effect.undefined)
    // whatever a backend does there, the pool must learn that the runner is no more
    const closed = yield* Effect.exit(Scope.close(scope, exit))
    if (Exit.isFailure(closed)) yield* Effect.logError(`runner ${runner.id} could not be removed`, closed.cause)
    const end = Exit.isSuccess(exit) ? exit.value : undefined
    const lost = end === givenUp ? undefined : end
    if (lost?.exit === unknown) yield* tellLate(runner, lost, parts, engine)
    runner.gone()
    engine.runners.delete(index)
    engine.step({ _tag: "Gone", now: engine.now(), runner: index })
    // not before: whoever is told that it is gone finds nothing of it, neither in the system nor in the status
    if (lost !== undefined)
      parts.publish({ _tag: "RunnerGone", pool: parts.pool, runner: runner.id, exit: lost.exit, why: lost.why })
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
    // nobody interrupts a boot from outside: one that ends so did it itself, and must be followed by a pause too
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
    runAfterBoot(parts, { pool, runner: id, failure: cause, took })
    engine.step({ _tag: "BootFailed", now: engine.now(), runner: index, transient, cause })
    return
  }
  const handle = booted.value
  ready(runner, index, handle, parts, engine, took)
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
    acceptNested: (id, total) => nested.accept(id, total),
    draining: () => engine.step({ _tag: "RunnerDraining", now: engine.now(), runner: index }),
    responsive(answers) {
      runner.silentSince = answers ? undefined : engine.now()
      engine.step({ _tag: answers ? "Responsive" : "Unresponsive", now: engine.now(), runner: index })
      // after the policy knows: a call made on this news must not meet the state before it
      parts.publish({ _tag: answers ? "RunnerResponsive" : "RunnerUnresponsive", pool, runner: id })
    },
    closed: ({ violation }) => {
      nested.stopAll()
      if (violation !== undefined)
        parts.beside(Effect.logError(`the connection of runner ${id} was ended: it sent ${violation}`))
      Deferred.doneUnsafe(runner.over, Exit.void)
    }
  }
  // a session that ended between the handshake and this turn has told nobody
  if (handle.link.closed) Deferred.doneUnsafe(runner.over, Exit.void)
  parts.metrics.booted(took, true)
  const otherBuild = handle.hello.build === parts.build ? undefined : handle.hello.build
  if (runner.process !== undefined) {
    // a connection can outlive its process, where something else holds it open
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
        // who hears of it may call at once, and that call must not run there
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
  // one that was told to go while it was let in has said so already
  if (handle.isDraining) handle.events.draining()
}

/** How a session ended, and who had calls there. */
interface Lost {
  readonly calls: ReadonlyArray<Call>
  readonly why: Policy.DrainReason | undefined
  exit: RunnerExit
}

/** The session is over: its callers are told why, as soon as that is known or `reasonGrace` has passed. */
const ended = Effect.fnUntraced(function* (runner: LivingRunner, index: number, parts: LifeParts, engine: PoolEngine) {
  const { process, why } = runner
  if (process === undefined) return undefined
  const lost: Lost = { calls: engine.unanswered.sessionOver(index), why, exit: unknown }
  lost.exit = yield* reasonWithin(process, engine.settings.reasonGrace, outOfPatience(parts.outOfTime))
  // whom we killed ourselves needs no witness, however long the system takes
  const { killedBy } = runner
  const killed: RunnerExit | undefined =
    killedBy === undefined ? undefined : { reason: new Killed({ signal: "SIGKILL", by: killedBy }), gone: false }
  const told = lost.exit === unknown ? (killed ?? unknown) : lost.exit
  engine.unanswered.lost.tell(lost.calls, runner.id, told)
  const early = Policy.endedEarly(engine.state, index) ? endedEarly(runner, index, told, parts, engine) : undefined
  // the end of the scope would wait for it anyway; whatever holds out that long is killed there
  if (lost.exit === unknown) {
    lost.exit = yield* reasonWithin(process, engine.settings.cancelGrace, parts.outOfTime)
    if (lost.exit !== unknown) toldLate(runner, lost, parts, engine)
  }
  if (why === undefined || lost.calls.length > 0) {
    const known = lost.exit === unknown ? (killed ?? unknown) : lost.exit
    yield* Effect.logWarning(lossReport(runner.id, parts.pool, known, lost.calls, early))
  }
  if (why === undefined) {
    parts.metrics.runnersLost++
    const { onRunnerLost } = parts.hooks
    const { exit } = lost
    if (onRunnerLost !== undefined) runHook(parts, "onRunnerLost", runner.id, () => onRunnerLost(runner.id, exit))
  }
  return lost
})

/** Counts a runner that ended soon after it was ready as a failed boot. Returns how soon, in milliseconds. */
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

/** It held out until its scope was closed, which has ended it; or its place is lost with it, of which news come later. */
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
