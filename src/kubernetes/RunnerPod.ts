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
import * as Queue from "effect/Queue"
import type * as Cause from "effect/Cause"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { BootPhase, Leaving, RunnerProcess, RunnerSpec } from "../backend/Backend.ts"
import { type BootFailure, LaunchFailed, Unschedulable } from "../BootFailure.ts"
import { Killed, NodeLost, type RunnerExit } from "../RunnerExit.ts"
import type { Transport } from "../wire/Transport.ts"
import type { Pod } from "./Kube.ts"
import * as PodCreation from "./PodCreation.ts"
import type { RunnerPodParts } from "./PodCreation.ts"
import * as PodDiagnosis from "./PodDiagnosis.ts"
import { podName } from "./PodNames.ts"
import * as PodFacts from "./PodFacts.ts"
import * as PodLastWords from "./PodLastWords.ts"
import type { PodChange } from "./PodWatch.ts"
import { type Dialling, forward, listen } from "./Dialling.ts"

/** How long what only helps to tell a reason may take, in milliseconds. */
const askTime = 2_000

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
  private readonly phases: Queue.Queue<BootPhase, Cause.Done>
  private readonly run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  private readonly started = Deferred.makeUnsafe<void>()
  private readonly scheduled = Deferred.makeUnsafe<void>()
  private readonly leaving = Deferred.makeUnsafe<Leaving>()
  private readonly sooner = Deferred.makeUnsafe<number>()
  private readonly exit = Deferred.makeUnsafe<RunnerExit>()
  private readonly failed = Deferred.makeUnsafe<never, BootFailure>()
  private readonly reached = new Set<BootPhase["name"]>()
  private pod: Pod | undefined
  private stuckSince: number | undefined
  private waitsFor: string | undefined
  private events: PodDiagnosis.Context["events"]
  private hasAskedForEvents = false
  private isConnected = false
  private isCreated = false
  private isOver = false
  private isGone = false
  private isFailing = false
  private isTelling = false
  private unfollow: () => void = () => {}
  private killedBy: string | undefined
  private cause: BootFailure | undefined
  private timer: Fiber.Fiber<unknown> | undefined

  constructor(
    parts: RunnerPodParts,
    spec: RunnerSpec,
    phases: Queue.Queue<BootPhase, Cause.Done>,
    run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  ) {
    const { hub } = parts
    this.parts = parts
    this.spec = spec
    this.phases = phases
    this.run = run
    this.index = hub.nextIndex()
    this.name = podName(parts.template.identity, spec)
    this.labels = { pod: this.name, namespace: hub.client.namespace }
    if (hub.reach === undefined) {
      this.labels["via"] = "port-forward"
      this.dialling = forward(hub, this.index, this.name, forwardPort)
    } else {
      this.labels["via"] = `dial-back to ${hub.reach.address}`
      this.dialling = listen(hub.reach, this.index)
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
      const transport = Scope.provide(this.dialling.transport(Deferred.await(this.started)), yield* Effect.scope)
      const connection: Effect.Effect<Transport, BootFailure> = Effect.tap(
        Effect.raceFirst(transport, Deferred.await(this.failed)),
        () =>
          Effect.andThen(
            Effect.sync(() => this.connected()),
            // it is there: whatever the answer to its creation is
            Fiber.interrupt(creating)
          )
      )
      return {
        labels: this.labels,
        phases: Stream.fromQueue(this.phases),
        scheduled: Deferred.await(this.scheduled),
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
        this.isCreated = true
      },
      waits: (detail) => this.tell(detail)
    })
    return Effect.match(creation, {
      onFailure: (cause) => this.fail(cause),
      onSuccess: (pod) => {
        this.labels["uid"] = pod.metadata.uid ?? ""
        parts.say(`pod ${this.name} was created for runner ${spec.id}`)
        this.reach({ name: "created" })
        this.run(this.waitForPlace)
        parts.hub.watch.note(pod)
      }
    })
  }

  /** Gives up when no place is found for it in time. */
  private get waitForPlace(): Effect.Effect<void> {
    const late = Effect.sync(() => {
      const detail = this.waitsFor ?? "the scheduler has said nothing about it"
      this.fail(new Unschedulable({ detail: `${detail} (for ${this.parts.scheduleTimeout} ms)` }))
    })
    return Effect.raceFirst(Deferred.await(this.scheduled), Effect.delay(late, this.parts.scheduleTimeout))
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
    if (!this.isConnected) this.diagnose()
    const end = PodDiagnosis.exitOf(pod, gone) ?? this.lostNode(pod)
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

  /** How far its boot has come, and whether it can still succeed. */
  private diagnose(): void {
    const { hub } = this.parts
    const { pod } = this
    if (pod === undefined || this.isFailing || this.isOver) return
    const { events, stuckSince } = this
    const context = { now: hub.now(), stuckSince, events, image: this.parts.template.container.image }
    const { phases, verdict } = PodDiagnosis.bootOf(pod, context)
    // the watch may tell of a pod before its creation is answered, and of one without a place it tells no other step: told
    // later, this one would end what it waits for
    this.reach({ name: "created" })
    for (const phase of phases) this.reach(phase)
    this.timer?.interruptUnsafe()
    this.timer = undefined
    this.stuckSince = verdict._tag === "Fails" ? verdict.since : undefined
    switch (verdict._tag) {
      case "Failed":
        return this.fail(verdict.cause)
      case "Fails":
        this.tell(verdict.cause.message)
        return this.lookAgain(verdict.at)
      case "Waiting":
        if (verdict.detail !== undefined) this.tell(verdict.detail)
        if (verdict.askForEventsAt !== undefined && !this.hasAskedForEvents) this.askForEvents(verdict.askForEventsAt)
        return
    }
  }

  private lookAgain(at: number): void {
    this.timer = this.run(
      Effect.delay(
        Effect.sync(() => this.diagnose()),
        Math.max(0, at - this.parts.hub.now())
      )
    )
  }

  /** Some reasons are in no status: asks once what happened to the pod. */
  private askForEvents(at: number): void {
    const { hub, may } = this.parts
    const uid = this.pod?.metadata.uid
    if (!may.listEvents || uid === undefined) return
    const ask = Effect.flatMap(Effect.timeoutOption(hub.client.events(uid), askTime), (events) =>
      Effect.sync(() => {
        if (Option.isNone(events)) return
        this.events = events.value
        this.diagnose()
      })
    )
    this.timer = this.run(
      Effect.delay(
        Effect.suspend(() => {
          this.hasAskedForEvents = true
          // apart from the timer, which the next change of the pod puts aside
          this.run(Effect.ignore(ask))
          return Effect.void
        }),
        Math.max(0, at - hub.now())
      )
    )
  }

  private reach(phase: BootPhase): void {
    if (this.reached.has(phase.name)) return
    if (phase.name !== "created") this.reach({ name: "created" })
    this.reached.add(phase.name)
    this.waitsFor = undefined
    if (phase.name !== "created") Deferred.doneUnsafe(this.scheduled, Effect.void)
    if (phase.name === "started") Deferred.doneUnsafe(this.started, Effect.void)
    Queue.offerUnsafe(this.phases, phase)
  }

  private tell(detail: string): void {
    if (this.waitsFor === detail) return
    this.waitsFor = detail
    Queue.offerUnsafe(this.phases, { name: "waiting", detail })
  }

  /** It will never serve. What it wrote is asked for, where nothing else says why. */
  private fail(found: BootFailure): void {
    if (this.isFailing || this.isConnected) return
    const cause = this.healed(found)
    this.isFailing = true
    this.isTelling = true
    const told = Effect.map(PodLastWords.added(this.parts, this.name, cause), (cause) => {
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
    if (
      cause._tag !== "InvalidSpec" ||
      !keys.names.some((name) => cause.detail.includes(`secret "${name}" not found`))
    ) {
      return cause
    }
    keys.lost(this.index)
    return new LaunchFailed({ detail: `the Secret with its key was deleted and is made again (${cause.detail})` })
  }

  private connected(): void {
    this.isConnected = true
    this.parts.say(`pod ${this.name} is connected as runner ${this.spec.id}`)
    this.timer?.interruptUnsafe()
    Deferred.doneUnsafe(this.scheduled, Effect.void)
    this.reach({ name: "connected" })
    Queue.endUnsafe(this.phases)
  }

  private bootFailure(exit: RunnerExit): BootFailure {
    return this.cause ?? PodDiagnosis.causeOf(exit)
  }

  /** How far a dial has come, for who must find out why there was none. */
  private get hint(): string | undefined {
    return this.waitsFor ?? this.dialling.hint(this.pod?.status?.podIP)
  }

  private kill(by: string): Effect.Effect<void> {
    return Effect.sync(() => {
      this.killedBy ??= by
      // its session ends now, and with it the runner; the API server may be long in hearing of it
      this.dialling.revoke()
      if (!this.isGone) this.run(this.parts.hub.graveyard.bury(this.name, this.pod?.metadata.uid, 1))
    })
  }

  /** Takes the pod away, and waits a while for its end where the API server answers at all. */
  private get remove(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { hub } = this.parts
      this.isOver = true
      this.timer?.interruptUnsafe()
      this.dialling.revoke()
      Queue.endUnsafe(this.phases)
      // what the watch has seen the end of needs no other one, which nothing would ever tell
      if (this.isCreated && !this.isGone) {
        // a runner whose session is over ends by itself within `cancelGrace`; one that never had any has nothing to end
        const grace = this.isConnected ? Math.ceil(this.spec.cancelGrace / 1_000) + 1 : 1
        this.parts.say(`pod ${this.name} of runner ${this.spec.id} is deleted`)
        const burial = hub.graveyard.bury(this.name, this.pod?.metadata.uid, grace)
        const isDeleted = Option.getOrElse(yield* Effect.timeoutOption(burial, deleteTime), () => false)
        if (isDeleted && this.pod !== undefined) {
          yield* Effect.timeoutOption(Deferred.await(this.exit), grace * 1_000 + 3_000)
        }
      }
      // else it is followed on, for the news of its node that may come in a minute
      if (!this.isConnected || Deferred.isDoneUnsafe(this.exit)) this.unfollow()
      hub.living.delete(this.name)
    })
  }
}
