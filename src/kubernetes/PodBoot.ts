/**
 * How far the boot of a pod has come, as what is told of the pod says: its steps, what it waits for, and that it cannot
 * succeed any more.
 */
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type { BootPhase } from "../backend/Backend.ts"
import type { BootFailure } from "../error/BootFailure.ts"
import type { Pod } from "./object/KubeObjects.ts"
import type { RunnerPodParts } from "./PodCreation.ts"
import { containerName } from "./template/PodTemplate.ts"
import * as PodDiagnosis from "./verdict/PodDiagnosis.ts"

/** How long what only helps to tell a reason may take, in milliseconds. */
const askTime = 2_000

export class PodBoot {
  /** Completes once it has a place, and once its program runs. */
  readonly scheduled = Deferred.makeUnsafe<void>()
  readonly started = Deferred.makeUnsafe<void>()
  /** What it waits for beyond the steps that take their time. */
  waitsFor: string | undefined
  private readonly parts: RunnerPodParts
  readonly phases: Queue.Queue<BootPhase, Cause.Done>
  private readonly run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  private readonly failed: (cause: BootFailure) => void
  private readonly reached = new Set<BootPhase["name"]>()
  private pod: Pod | undefined
  private stuckSince: number | undefined
  private events: PodDiagnosis.BootContext["events"]
  private hasAskedForEvents = false
  private isOver = false
  private timer: Fiber.Fiber<unknown> | undefined

  constructor(
    parts: RunnerPodParts,
    phases: Queue.Queue<BootPhase, Cause.Done>,
    /** Runs what ends with the runner. */
    run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>,
    failed: (cause: BootFailure) => void
  ) {
    this.parts = parts
    this.phases = phases
    this.run = run
    this.failed = failed
  }

  /** Takes in what its pod is now. */
  saw(pod: Pod): void {
    this.pod = pod
    this.diagnose()
  }

  reach(phase: BootPhase): void {
    if (this.reached.has(phase.name)) return
    if (phase.name !== "created") this.reach({ name: "created" })
    this.reached.add(phase.name)
    this.waitsFor = undefined
    if (phase.name !== "created") Deferred.doneUnsafe(this.scheduled, Effect.void)
    if (phase.name === "started") Deferred.doneUnsafe(this.started, Effect.void)
    Queue.offerUnsafe(this.phases, phase)
  }

  tell(detail: string): void {
    if (this.waitsFor === detail) return
    this.waitsFor = detail
    Queue.offerUnsafe(this.phases, { name: "waiting", detail })
  }

  /** Nothing is found out from now on, and nobody asked. */
  stop(): void {
    this.isOver = true
    this.timer?.interruptUnsafe()
  }

  /** It has come to its end, whichever that is: no step will follow. */
  close(): void {
    this.stop()
    Queue.endUnsafe(this.phases)
  }

  private diagnose(): void {
    const { hub } = this.parts
    const { events, pod, stuckSince } = this
    if (pod === undefined || this.isOver) return
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
        return this.failed(verdict.cause)
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
    const look = Effect.sync(() => this.diagnose())
    this.timer = this.run(Effect.delay(look, Math.max(0, at - this.parts.hub.now())))
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
    const askOnce = Effect.sync(() => {
      this.hasAskedForEvents = true
      // apart from the timer, which the next change of the pod puts aside
      this.run(Effect.ignore(ask))
    })
    this.timer = this.run(Effect.delay(askOnce, Math.max(0, at - hub.now())))
  }
}

/** Lines of a crashed runner's output that are told. */
const logLines = 20

/** The cause of a failed boot, with the end of the output of that pod where that tells more and may be read. */
export const withLastWords = (
  { hub, may }: RunnerPodParts,
  pod: string,
  cause: BootFailure
): Effect.Effect<BootFailure> => {
  if (!may.readLogs || !PodDiagnosis.wantsLog(cause)) return Effect.succeed(cause)
  return Effect.timeoutOption(hub.client.podLog(pod, containerName, logLines), askTime).pipe(
    Effect.map(Option.match({ onNone: () => cause, onSome: (log) => PodDiagnosis.withLog(cause, log) })),
    Effect.catch(() => Effect.succeed(cause))
  )
}
