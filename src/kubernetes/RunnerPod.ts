/**
 * A runner as a pod: creates the pod, watches it, and deletes it. `RunnerPodState` holds all that is known about the pod.
 *
 * Two sources report on the runner. Its connection (`RunnerConnection.ts`) tells when the runner can serve, and when its
 * session is over. The watch tells how the pod ended, and why.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Queue from "effect/Queue"
import type * as Cause from "effect/Cause"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { spoken } from "../time/Spoken.ts"
import type { BootPhase, Leaving, RunnerProcess, RunnerSpec } from "../backend/Backend.ts"
import { describe } from "../code/PreparedCode.ts"
import { sendCode } from "../code/SendCode.ts"
import { describeError } from "../error/ErrorText.ts"
import { type BootFailure, LaunchFailed, Unschedulable } from "../error/BootFailure.ts"
import type { RunnerExit } from "../error/RunnerExit.ts"
import { type Transport, whenClosed } from "../wire/Transport.ts"
import { finalDeleteTime } from "./hub/KubeHub.ts"
import type { Pod } from "./object/KubeObjects.ts"
import { podName } from "./object/ObjectNames.ts"
import { PodBoot, withLastWords } from "./PodBoot.ts"
import * as PodCreation from "./PodCreation.ts"
import type { RunnerPodParts } from "./PodCreation.ts"
import { forward, forwardPort, listen, type RunnerConnection } from "./RunnerConnection.ts"
import * as State from "./RunnerPodState.ts"
import * as PodDiagnosis from "./verdict/PodDiagnosis.ts"
import type { PodChange } from "./watch/PodWatch.ts"

/** Milliseconds that the removal of a runner waits for the API server to accept the deletion. */
const deleteTime = 3_000

/** The pod of one runner, from its request until the scope of the runner has closed. Call `start` once. */
export class RunnerPod {
  private readonly spec: RunnerSpec
  private readonly parts: RunnerPodParts
  private readonly runnerConnection: RunnerConnection
  private readonly index: number
  private readonly name: string
  private readonly labels: Record<string, string>
  private readonly boot: PodBoot
  private readonly run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  private readonly leaving = Deferred.makeUnsafe<Leaving>()
  private readonly sooner = Deferred.makeUnsafe<number>()
  private readonly exit = Deferred.makeUnsafe<RunnerExit>()
  private readonly failed = Deferred.makeUnsafe<never, BootFailure>()
  private state = State.initial
  private unfollow: () => void = () => {}

  constructor(
    parts: RunnerPodParts,
    spec: RunnerSpec,
    phases: Queue.Queue<BootPhase, Cause.Done>,
    run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  ) {
    const { hub } = parts
    this.parts = parts
    this.spec = spec
    this.run = run
    this.boot = new PodBoot(parts, phases, run, (cause) => this.failBoot(cause))
    this.index = hub.nextIndex()
    this.name = podName(parts.template.identity, spec)
    this.labels = { pod: this.name, namespace: hub.client.namespace }
    if (hub.dialBack === undefined) {
      this.labels["via"] = "port-forward"
      this.runnerConnection = forward(hub, this.index, this.name, forwardPort)
    } else {
      this.labels["via"] = `dial-back to ${hub.dialBack.address}`
      this.runnerConnection = listen(hub.dialBack, this.index)
    }
  }

  /** Requests the pod, and follows it until the scope closes, which deletes it. */
  get start(): Effect.Effect<RunnerProcess, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { hub } = this.parts
      hub.living.add(this.name)
      this.unfollow = hub.watch.follow(this.name, (change) => this.podChanged(change))
      yield* Effect.addFinalizer(() => this.removePod)
      const { code } = this.parts
      if (code !== undefined) {
        this.labels["code"] = describe(code)
        this.boot.reachPhase({ name: "bundled", detail: describe(code) })
      }
      const creating = yield* Effect.forkScoped(this.createPod)
      // The scope of the runner owns the dialed connection. The scope of the fiber that waits for it may close earlier.
      const transport = Scope.provide(
        this.runnerConnection.transport(Deferred.await(this.boot.started)),
        yield* Effect.scope
      )
      const connection: Effect.Effect<Transport, BootFailure> = Effect.flatMap(
        Effect.raceFirst(transport, Deferred.await(this.failed)),
        (transport) => {
          this.connected()
          const noted = whenClosed(transport, (error) => this.sessionClosed(error))
          // The runner has connected, so the answer to the create request does not matter any more.
          return Effect.andThen(Fiber.interrupt(creating), this.withCode(noted))
        }
      )
      return {
        labels: this.labels,
        phases: Stream.fromQueue(this.boot.phases),
        scheduled: Deferred.await(this.boot.scheduled),
        leaving: Deferred.await(this.leaving),
        connection,
        exit: Deferred.await(this.exit),
        bootFailure: (exit) => this.bootFailure(exit),
        hint: () => this.hint,
        kill: (by) => this.killPod(by)
      }
    })
  }

  /** Sends the code to a runner whose image does not have it. */
  private withCode(transport: Transport): Effect.Effect<Transport, BootFailure> {
    const { code } = this.parts
    if (code === undefined) return Effect.succeed(transport)
    return Effect.tap(Effect.raceFirst(sendCode(transport, code), Deferred.await(this.failed)), () =>
      Effect.sync(() => this.boot.reachPhase({ name: "sent" }))
    ).pipe(Effect.ensuring(Effect.sync(() => this.boot.close())))
  }

  /** Creates the pod, or fails the boot with the reason why there is none. */
  private get createPod(): Effect.Effect<void> {
    const { parts, spec } = this
    const creation = PodCreation.make(parts, spec, this.index, this.runnerConnection, {
      asking: () => {
        this.state = State.ask(this.state)
      },
      refused: () => {
        this.state = State.refuse(this.state)
      },
      waits: (detail) => this.boot.reportWaiting(detail)
    })
    // Nothing else would end a boot without a pod.
    const broken = (defect: unknown) => Effect.fail(new LaunchFailed({ detail: describeError(defect) }))
    return Effect.match(Effect.catchDefect(creation, broken), {
      onFailure: (cause) => this.failBoot(cause),
      onSuccess: (pod) => {
        this.labels["uid"] = pod.metadata.uid ?? ""
        parts.say(`pod ${this.name} was created for runner ${spec.id}`)
        this.boot.reachPhase({ name: "created" })
        this.run(this.limitScheduling)
        parts.hub.watch.note(pod)
      }
    })
  }

  /** Fails the boot when the scheduler has found no node within `scheduleTimeout`. */
  private get limitScheduling(): Effect.Effect<void> {
    const { scheduleTimeout } = this.parts
    const late = Effect.sync(() => {
      const detail = this.boot.waitsFor ?? "the scheduler has said nothing about this pod"
      this.failBoot(new Unschedulable({ detail: `${detail} (for ${spoken(scheduleTimeout)})` }))
    })
    return Effect.raceFirst(Deferred.await(this.boot.scheduled), Effect.delay(late, scheduleTimeout))
  }

  private podChanged({ gone, pod }: PodChange): void {
    this.state = State.see(this.state, pod, gone)
    const { nodeName } = pod.spec
    if (nodeName !== undefined) this.labels["node"] = nodeName
    if (this.state.owner._tag === "Wanted") {
      const leaving = PodDiagnosis.leavingOf(pod, this.spec.drainTimeout)
      if (leaving !== undefined) this.announceLeaving(pod, leaving)
    }
    if (!State.hasConnected(this.state)) this.boot.podChanged(pod)
    this.reportExit()
  }

  /**
   * Announces that the pod must leave. An eviction is announced before the deletion that limits its time, and a node
   * falls silent before its pods are deleted. So the first report completes `leaving`, and the first report with a
   * limit completes `sooner`.
   */
  private announceLeaving(pod: Pod, leaving: Leaving): void {
    if (Deferred.doneUnsafe(this.leaving, Effect.succeed({ ...leaving, sooner: Deferred.await(this.sooner) }))) return
    if (pod.metadata.deletionTimestamp === undefined || leaving.budget === Infinity) return
    Deferred.doneUnsafe(this.sooner, Effect.succeed(leaving.budget))
  }

  private reportExit(): void {
    const exit = State.exitOf(this.state)
    if (exit === undefined) return
    Deferred.doneUnsafe(this.exit, Effect.succeed(exit))
    if (this.state.owner._tag === "Removed") this.unfollow()
  }

  /** Fails the boot, with the output of the runner if nothing else explains the failure. */
  private failBoot(found: BootFailure): void {
    const before = this.state
    this.state = State.doom(before)
    if (this.state === before) return
    this.boot.stopDiagnosis()
    // The cluster deletes pods whose owner is gone: the next boot needs another owner then.
    if (found._tag === "Removed") this.parts.hub.checkOwner()
    const cause = this.withSecretRenewed(found)
    const report = Effect.map(withLastWords(this.parts, this.name, State.podOf(this.state), cause), (cause) => {
      this.state = State.fail(this.state, cause)
      Deferred.doneUnsafe(this.failed, Effect.fail(cause))
      this.reportExit()
    })
    this.run(report)
  }

  /** Lets the next boot create a deleted Secret of this parent again, so that the failure is transient. */
  private withSecretRenewed(cause: BootFailure): BootFailure {
    const { keys } = this.parts.hub
    if (cause._tag !== "InvalidSpec") return cause
    const missing = keys.names.find((name) => cause.detail.includes(`secret "${name}" not found`))
    if (missing === undefined) return cause
    keys.forgetSecret(missing)
    return new LaunchFailed({
      detail: `the Secret ${missing} was deleted; the next boot creates it again (${cause.detail})`
    })
  }

  private connected(): void {
    this.state = State.connect(this.state)
    this.parts.say(`pod ${this.name} is connected as runner ${this.spec.id}`)
    this.boot.reachPhase({ name: "connected" })
    if (this.parts.code === undefined) this.boot.close()
    else this.boot.stopDiagnosis()
  }

  private sessionClosed(error: Error | undefined): void {
    this.state = State.close(this.state, error === undefined ? this.parts.hub.uptime() : undefined)
    // An exit was withheld while the session proved that the runner lives.
    this.reportExit()
  }

  private bootFailure(exit: RunnerExit): BootFailure {
    const { session } = this.state
    return session._tag === "Failed" ? session.cause : PodDiagnosis.causeOf(exit)
  }

  /** Advice after a `bootTimeout`: the cause of the wait, or how far the connection came. */
  private get hint(): string | undefined {
    return this.boot.waitsFor ?? this.runnerConnection.hint(State.podOf(this.state)?.status?.podIP)
  }

  private killPod(by: string): Effect.Effect<void> {
    return Effect.sync(() => {
      this.state = State.kill(this.state, by)
      // Ends the session at once, and with it the runner: the API server may execute the deletion late.
      this.runnerConnection.revoke()
      const { object } = this.state
      const uid = State.podOf(this.state)?.metadata.uid
      if (object._tag !== "Gone") this.run(this.parts.hub.graveyard.removePod(this.name, uid, 1))
    })
  }

  /** Deletes the pod. Waits for its end, within limits, if the API server accepts the deletion. */
  private get removePod(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { hub } = this.parts
      this.state = State.remove(this.state)
      this.boot.close()
      this.runnerConnection.revoke()
      this.reportExit()
      const { object } = this.state
      const grace = State.graceOf(this.state, this.spec.cancelGrace, hub.uptime())
      // A refused create request may have been executed all the same. Deletes its pod if the watch reports one.
      if (object._tag === "Refused") hub.graveyard.removeIfSeen(this.name, grace)
      // A pod that is `Gone` is not deleted again: `deletePod` would wait for an event that never comes.
      else if (object._tag === "Asked" || object._tag === "Present") yield* this.deletePod(grace)
      // Follows a runner that had a session until its end is known, because a lost node is reported up to a minute
      // later.
      if (!State.hasConnected(this.state) || Deferred.isDoneUnsafe(this.exit)) this.unfollow()
      hub.living.delete(this.name)
    })
  }

  private deletePod(grace: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { hub } = this.parts
      this.parts.say(`pod ${this.name} of runner ${this.spec.id} is deleted`)
      const deletion = hub.graveyard.removePod(this.name, State.podOf(this.state)?.metadata.uid, grace)
      // The hub's finalizer finishes what is not confirmed here, in the `finalDeleteTime` that is kept for it.
      const granted = (millis: number) => hub.deadline.grant(millis, finalDeleteTime)
      const isAccepted = Option.getOrElse(yield* Effect.timeoutOption(deletion, granted(deleteTime)), () => false)
      if (isAccepted && State.podOf(this.state) !== undefined) {
        yield* Effect.timeoutOption(Deferred.await(this.exit), granted(grace * 1_000 + 3_000))
      }
    })
  }
}
