/**
 * One runner as a pod: made, watched, and taken away again.
 *
 *   create ──▶ scheduled ──▶ started ──dials back──▶ connected ──▶ ended ──▶ deleted
 *
 * That it serves is told by its dial-back alone, and that it went by its connection; the watch tells why.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Queue from "effect/Queue"
import type * as Cause from "effect/Cause"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { BootPhase, Leaving, RunnerProcess, RunnerSpec } from "../backend/Backend.ts"
import { type BootFailure, LaunchFailed, Unschedulable } from "../error/BootFailure.ts"
import { Killed, NodeLost, type RunnerExit } from "../error/RunnerExit.ts"
import { type Transport, whenClosed } from "../wire/Transport.ts"
import type { Pod } from "./object/KubeObjects.ts"
import { PodBoot, withLastWords } from "./PodBoot.ts"
import * as PodCreation from "./PodCreation.ts"
import type { RunnerPodParts } from "./PodCreation.ts"
import * as PodDiagnosis from "./verdict/PodDiagnosis.ts"
import { finalDeleteTime } from "./hub/KubeHub.ts"
import { podName } from "./object/PodNames.ts"
import * as PodFacts from "./verdict/PodFacts.ts"
import type { PodChange } from "./watch/PodWatch.ts"
import { type Dialling, forward, listen } from "./Dialling.ts"

/** The port of its own loopback on which a runner listens that its parent reaches through the API server. */
const forwardPort = 9345

/** How long the end of a runner may wait for the API server to hear of it, in milliseconds. */
const deleteTime = 3_000

export class RunnerPod {
  private readonly spec: RunnerSpec
  private readonly parts: RunnerPodParts
  private readonly dialling: Dialling
  private readonly index: number
  private readonly name: string
  private readonly labels: Record<string, string>
  private readonly boot: PodBoot
  private readonly run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  private readonly leaving = Deferred.makeUnsafe<Leaving>()
  private readonly sooner = Deferred.makeUnsafe<number>()
  private readonly exit = Deferred.makeUnsafe<RunnerExit>()
  private readonly failed = Deferred.makeUnsafe<never, BootFailure>()
  private pod: Pod | undefined
  private isConnected = false
  /** Whether it was asked for, and whether the API server has refused since, so that most likely there is none. */
  private isAsked = false
  private isRefused = false
  private isOver = false
  private isGone = false
  private isFailing = false
  private isTelling = false
  private unfollow: () => void = () => {}
  private killedBy: string | undefined
  private sessionClosedAt: number | undefined
  private cause: BootFailure | undefined

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
    this.boot = new PodBoot(parts, phases, run, (cause) => this.fail(cause))
    this.index = hub.nextIndex()
    this.name = podName(parts.template.identity, spec)
    this.labels = { pod: this.name, namespace: hub.client.namespace }
    if (hub.dialBack === undefined) {
      this.labels["via"] = "port-forward"
      this.dialling = forward(hub, this.index, this.name, forwardPort)
    } else {
      this.labels["via"] = `dial-back to ${hub.dialBack.address}`
      this.dialling = listen(hub.dialBack, this.index)
    }
  }

  /** Begins: asks for the pod, and follows what becomes of it until the scope ends. */
  get start(): Effect.Effect<RunnerProcess, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { hub } = this.parts
      hub.living.add(this.name)
      this.unfollow = hub.watch.follow(this.name, (change) => this.changed(change))
      yield* Effect.addFinalizer(() => this.remove)
      const creating = yield* Effect.forkScoped(this.create)
      // what it opens on the way ends with the runner, whoever asks for it
      const transport = Scope.provide(this.dialling.transport(Deferred.await(this.boot.started)), yield* Effect.scope)
      const connection: Effect.Effect<Transport, BootFailure> = Effect.flatMap(
        Effect.raceFirst(transport, Deferred.await(this.failed)),
        (transport) => {
          this.connected()
          const noted = whenClosed(transport, (error) => {
            // one that broke may have ended just now for its runner, or not yet, however long ago that was here
            if (error === undefined) this.sessionClosedAt = hub.uptime()
          })
          // it is there: whatever the answer to its creation is
          return Effect.as(Fiber.interrupt(creating), noted)
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
        kill: (by) => this.kill(by)
      }
    })
  }

  /** Makes the pod, or fails the boot with why there is none. */
  private get create(): Effect.Effect<void> {
    const { parts, spec } = this
    const creation = PodCreation.make(parts, spec, this.index, this.dialling, {
      asking: () => {
        this.isAsked = true
        this.isRefused = false
      },
      refused: () => {
        this.isRefused = true
      },
      waits: (detail) => this.boot.tell(detail)
    })
    return Effect.match(creation, {
      onFailure: (cause) => this.fail(cause),
      onSuccess: (pod) => {
        this.labels["uid"] = pod.metadata.uid ?? ""
        parts.say(`pod ${this.name} was created for runner ${spec.id}`)
        this.boot.reach({ name: "created" })
        this.run(this.awaitSchedule)
        parts.hub.watch.note(pod)
      }
    })
  }

  /** Gives up when no place is found for it in time. */
  private get awaitSchedule(): Effect.Effect<void> {
    const late = Effect.sync(() => {
      const detail = this.boot.waitsFor ?? "the scheduler has said nothing about it"
      this.fail(new Unschedulable({ detail: `${detail} (for ${this.parts.scheduleTimeout} ms)` }))
    })
    return Effect.raceFirst(Deferred.await(this.boot.scheduled), Effect.delay(late, this.parts.scheduleTimeout))
  }

  private changed({ gone, pod }: PodChange): void {
    const { hub } = this.parts
    this.pod = pod
    this.isGone ||= gone
    const { nodeName } = pod.spec
    if (nodeName !== undefined) this.labels["node"] = nodeName
    if (!this.isOver && this.killedBy === undefined) {
      const leaving = PodDiagnosis.leavingOf(pod, { now: hub.now(), drainTimeout: this.spec.drainTimeout })
      if (leaving !== undefined) this.leaves(leaving)
    }
    if (!this.isConnected) this.boot.saw(pod)
    this.lookForEnd(pod)
  }

  private lookForEnd(pod: Pod): void {
    const end = PodDiagnosis.exitOf(pod, this.isGone) ?? this.lostNode(pod)
    // a boot that fails has its reason first, which must be the answer to whoever waits for either
    if (end !== undefined && !this.isTelling) this.end(end)
  }

  /** What announces a deletion does not say its time, which the deletion itself does a moment later. */
  private leaves(leaving: Leaving): void {
    if (Deferred.doneUnsafe(this.leaving, Effect.succeed({ ...leaving, sooner: Deferred.await(this.sooner) }))) return
    if (this.pod?.metadata.deletionTimestamp === undefined) return
    Deferred.doneUnsafe(this.sooner, Effect.succeed(leaving.budget))
  }

  /** A runner that is not connected, on a node of which nothing is heard: there will be no other news for a long time. */
  private lostNode(pod: Pod): RunnerExit | undefined {
    if (!this.isOver || !PodFacts.isNodeSilent(pod)) return undefined
    return { reason: new NodeLost({ node: PodFacts.nodeOf(pod) }), gone: false }
  }

  private end(exit: RunnerExit): void {
    const { killedBy } = this
    const reason = killedBy === undefined ? exit.reason : new Killed({ signal: "SIGKILL", by: killedBy })
    Deferred.doneUnsafe(this.exit, Effect.succeed({ reason, gone: exit.gone && this.isProven }))
    if (this.isOver) this.unfollow()
  }

  /** That an object is gone says nothing of a program that was heard of before its pod was seen to run: it may go on. */
  private get isProven(): boolean {
    if (!this.isConnected) return true
    return this.pod !== undefined && PodFacts.runnerOf(this.pod)?.state?.terminated !== undefined
  }

  /** It will never serve. What it wrote is asked for, where nothing else says why. */
  private fail(found: BootFailure): void {
    if (this.isFailing || this.isConnected) return
    const cause = this.healed(found)
    this.isFailing = true
    this.isTelling = true
    this.boot.stop()
    const told = Effect.map(withLastWords(this.parts, this.name, cause), (cause) => {
      this.cause = cause
      this.isTelling = false
      Deferred.doneUnsafe(this.failed, Effect.fail(cause))
      const end = this.pod === undefined ? undefined : PodDiagnosis.exitOf(this.pod, this.isGone)
      if (end !== undefined) this.end(end)
    })
    this.run(told)
  }

  /** A Secret of ours that somebody deleted is made again by the next boot. */
  private healed(cause: BootFailure): BootFailure {
    const { keys } = this.parts.hub
    if (cause._tag !== "InvalidSpec") return cause
    const missing = keys.names.find((name) => cause.detail.includes(`secret "${name}" not found`))
    if (missing === undefined) return cause
    keys.lost(missing)
    return new LaunchFailed({ detail: `the Secret ${missing} was deleted and is made again (${cause.detail})` })
  }

  private connected(): void {
    this.isConnected = true
    this.parts.say(`pod ${this.name} is connected as runner ${this.spec.id}`)
    this.boot.reach({ name: "connected" })
    this.boot.close()
  }

  /** How long it may take to end by itself, in whole seconds: one without a session has nothing to end. */
  private get grace(): number {
    if (!this.isConnected) return 1
    const { hub } = this.parts
    const elapsed = this.sessionClosedAt === undefined ? 0 : hub.uptime() - this.sessionClosedAt
    return Math.ceil(Math.max(0, this.spec.cancelGrace - elapsed) / 1_000) + 1
  }

  private bootFailure(exit: RunnerExit): BootFailure {
    return this.cause ?? PodDiagnosis.causeOf(exit)
  }

  /** How far a dial has come, for who must find out why there was none. */
  private get hint(): string | undefined {
    return this.boot.waitsFor ?? this.dialling.hint(this.pod?.status?.podIP)
  }

  private kill(by: string): Effect.Effect<void> {
    return Effect.sync(() => {
      this.killedBy ??= by
      // its session ends now, and with it the runner; the API server may be long in hearing of it
      this.dialling.revoke()
      if (!this.isGone) this.run(this.parts.hub.graveyard.removePod(this.name, this.pod?.metadata.uid, 1))
    })
  }

  /** Takes the pod away, and waits a while for its end where the API server answers at all. */
  private get remove(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { hub } = this.parts
      this.isOver = true
      this.boot.close()
      this.dialling.revoke()
      if (this.pod !== undefined) this.lookForEnd(this.pod)
      // nothing is there to delete: should it show up all the same, it is deleted then
      if (this.isRefused && this.pod === undefined) hub.graveyard.removeIfSeen(this.name, this.grace)
      // what the watch has seen the end of needs no other one, which nothing would ever tell
      else if (this.isAsked && !this.isGone) {
        const { grace } = this
        this.parts.say(`pod ${this.name} of runner ${this.spec.id} is deleted`)
        const burial = hub.graveyard.removePod(this.name, this.pod?.metadata.uid, grace)
        // what is not awaited here, the end of the parent sees off with what is kept for it
        const granted = (millis: number) => hub.deadline.grant(millis, finalDeleteTime)
        const isDeleted = Option.getOrElse(yield* Effect.timeoutOption(burial, granted(deleteTime)), () => false)
        if (isDeleted && this.pod !== undefined) {
          yield* Effect.timeoutOption(Deferred.await(this.exit), granted(grace * 1_000 + 3_000))
        }
      }
      // else it is followed on, for the news of its node that may come in a minute
      if (!this.isConnected || Deferred.isDoneUnsafe(this.exit)) this.unfollow()
      hub.living.delete(this.name)
    })
  }
}
