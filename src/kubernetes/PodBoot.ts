/**
 * The boot of one runner's pod: the phases that it reached, what it waits for, and the verdict that it cannot succeed.
 *
 * `PodDiagnosis` decides. This class holds what a diagnosis needs over time: the last pod, the events, and one timer.
 */
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type { BootPhase } from "../backend/Backend.ts"
import { type BootFailure, Crashed } from "../error/BootFailure.ts"
import type { Pod } from "./object/KubeObjects.ts"
import type { RunnerPodParts } from "./PodCreation.ts"
import { containerName } from "./template/PodTemplate.ts"
import * as PodDiagnosis from "./verdict/PodDiagnosis.ts"
import { failedInitOf } from "./verdict/PodFacts.ts"

/** Milliseconds that a request may take which only helps to explain a failure. */
const askTime = 2_000

export class PodBoot {
  /** Completes when the pod has a node. */
  readonly scheduled = Deferred.makeUnsafe<void>()
  /** Completes when the container of the runner runs. */
  readonly started = Deferred.makeUnsafe<void>()
  /** The reason of the present wait, as text for people. Undefined while the boot makes progress. */
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
    /** Forks an effect into the scope of the runner. */
    run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>,
    failed: (cause: BootFailure) => void
  ) {
    this.parts = parts
    this.phases = phases
    this.run = run
    this.failed = failed
  }

  /** Diagnoses the pod as the watch shows it now. */
  podChanged(pod: Pod): void {
    this.pod = pod
    this.diagnose()
  }

  /** Reports a phase once. A pod that has reached any phase was created. */
  reachPhase(phase: BootPhase): void {
    if (this.reached.has(phase.name)) return
    // The code is bundled before the pod exists.
    const isAhead = phase.name === "bundled" || phase.name === "created"
    if (!isAhead) this.reachPhase({ name: "created" })
    this.reached.add(phase.name)
    this.waitsFor = undefined
    if (!isAhead) Deferred.doneUnsafe(this.scheduled, Effect.void)
    if (phase.name === "started") Deferred.doneUnsafe(this.started, Effect.void)
    Queue.offerUnsafe(this.phases, phase)
  }

  /** Reports what the boot waits for, once for each text in a row. */
  reportWaiting(detail: string): void {
    if (this.waitsFor === detail) return
    this.waitsFor = detail
    Queue.offerUnsafe(this.phases, { name: "waiting", detail })
  }

  /** Ends the diagnosis: no verdict and no request follow. */
  stopDiagnosis(): void {
    this.isOver = true
    this.timer?.interruptUnsafe()
  }

  /** Ends the diagnosis and the stream of phases. */
  close(): void {
    this.stopDiagnosis()
    Queue.endUnsafe(this.phases)
  }

  private diagnose(): void {
    const { hub } = this.parts
    const { events, pod, stuckSince } = this
    if (pod === undefined || this.isOver) return
    const context = { now: hub.now(), stuckSince, events, image: this.parts.template.container.image }
    const { phases, verdict } = PodDiagnosis.bootOf(pod, context)
    // Report `created` first: reported after `waiting` it would clear the waiting message.
    this.reachPhase({ name: "created" })
    for (const phase of phases) this.reachPhase(phase)
    this.timer?.interruptUnsafe()
    this.timer = undefined
    this.stuckSince = verdict._tag === "Fails" ? verdict.since : undefined
    switch (verdict._tag) {
      case "Failed":
        return this.failed(verdict.cause)
      case "Fails":
        this.reportWaiting(verdict.cause.message)
        return this.lookAgain(verdict.at)
      case "Waiting":
        if (verdict.detail !== undefined) this.reportWaiting(verdict.detail)
        if (verdict.askForEventsAt !== undefined && !this.hasAskedForEvents) this.askForEvents(verdict.askForEventsAt)
        return
    }
  }

  private lookAgain(at: number): void {
    const look = Effect.sync(() => this.diagnose())
    this.timer = this.run(Effect.delay(look, Math.max(0, at - this.parts.hub.now())))
  }

  /** Requests the events of the pod, once per boot: some reasons are in no status. */
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
      // Not in the timer's fiber, which the next change of the pod interrupts.
      this.run(Effect.ignore(ask))
    })
    this.timer = this.run(Effect.delay(askOnce, Math.max(0, at - hub.now())))
  }
}

/** Lines of output that an error quotes. */
const logLines = 20

/**
 * Adds the end of the failed container's output to the cause of a failed boot, if no other field explains the failure.
 *
 * The log of an init container is read too: its termination message is empty unless the program writes one, and the log
 * is deleted with the pod.
 */
export const withLastWords = (
  parts: RunnerPodParts,
  name: string,
  pod: Pod | undefined,
  cause: BootFailure
): Effect.Effect<BootFailure> => {
  if (!parts.may.readLogs) return Effect.succeed(cause)
  if (PodDiagnosis.wantsLog(cause)) {
    return Effect.map(lastLines(parts, name, containerName), (log) =>
      log === "" ? cause : PodDiagnosis.withLog(cause, log)
    )
  }
  const init = pod === undefined ? undefined : failedInitOf(pod)
  if (cause._tag !== "Crashed" || init === undefined || (init.state?.terminated?.message ?? "").trim() !== "") {
    return Effect.succeed(cause)
  }
  return Effect.map(lastLines(parts, name, init.name), (log) =>
    log.trim() === ""
      ? cause
      : new Crashed({ exitCode: cause.exitCode, detail: `${cause.detail}; the end of its output:\n${log.trimEnd()}` })
  )
}

/** The end of a container's output. Empty if the API server does not answer in time. */
const lastLines = ({ hub }: RunnerPodParts, pod: string, container: string): Effect.Effect<string> =>
  Effect.timeoutOption(hub.client.podLog(pod, container, logLines), askTime).pipe(
    Effect.map(Option.getOrElse(() => "")),
    Effect.catch(() => Effect.succeed(""))
  )
