/** The latest boots of a pool, and those in progress, each with its steps. */
import { printable } from "../../error/PeerText.ts"
import type { BootPhases, PoolEvent, RunnerStatus } from "../../pool/status/PoolEvent.ts"
import { limits, type PoolDocument, rounded } from "./StatusDocument.ts"

type Entry = PoolDocument["boots"][number]

interface Boot {
  readonly runner: string
  readonly at: number
  outcome: Entry["outcome"]
  took: number
  phases: Record<string, number>
  waitsFor: string | undefined
  failure: string | undefined
}

/** The steps of a boot in their order, with the milliseconds that each took. */
export const stepsOf = (phases: BootPhases): ReadonlyArray<readonly [step: string, millis: number]> => {
  let since = 0
  return Object.entries(phases)
    .toSorted(([, a], [, b]) => a - b)
    .map(([step, at]) => {
      const took = Math.max(0, at - since)
      since = at
      return [step, rounded(took)] as const
    })
}

export class BootList {
  private readonly booting = new Map<string, Boot>()
  /** Boots that are over, oldest first. */
  private readonly over: Array<Boot> = []

  /** Adds a runner that existed before the record began. */
  seed(runner: RunnerStatus, now: number): void {
    const took = Math.max(0, ...Object.values(runner.phases))
    const boot = this.begin(runner.id, now - took - (runner.age ?? 0))
    boot.phases = { ...runner.phases }
    boot.waitsFor = runner.waitsFor
    if (runner.age !== undefined) this.end(boot, "ready", took)
  }

  event(event: PoolEvent, now: number): void {
    if (event._tag === "BootStarted") return void this.begin(event.runner, now)
    const boot = "runner" in event ? this.booting.get(event.runner) : undefined
    if (boot === undefined) return
    switch (event._tag) {
      case "BootProgress":
        if (event.phase === "waiting") boot.waitsFor = event.detail
        else {
          boot.phases[event.phase] = event.at
          boot.waitsFor = undefined
        }
        return
      case "RunnerReady":
        boot.phases = { ...event.phases }
        return this.end(boot, "ready", Math.max(0, ...Object.values(event.phases)))
      case "BootFailed":
        boot.failure = event.cause.message
        return this.end(boot, "failed", now - boot.at)
      case "BootGivenUp":
        return this.end(boot, "given up", now - boot.at)
      default:
    }
  }

  private begin(runner: string, at: number): Boot {
    const boot: Boot = { runner, at, outcome: "booting", took: 0, phases: {}, waitsFor: undefined, failure: undefined }
    this.booting.set(runner, boot)
    return boot
  }

  private end(boot: Boot, outcome: Entry["outcome"], took: number): void {
    this.booting.delete(boot.runner)
    boot.outcome = outcome
    boot.took = took
    if (outcome !== "given up") boot.waitsFor = undefined
    this.over.push(boot)
    if (this.over.length > limits.boots) this.over.shift()
  }

  /** The boots, latest first. */
  read(now: number): ReadonlyArray<Entry> {
    const all = [...this.over, ...this.booting.values()].map((boot): Entry => ({
      runner: boot.runner,
      at: boot.at,
      outcome: boot.outcome,
      took: boot.outcome === "booting" ? now - boot.at : rounded(boot.took),
      steps: stepsOf(boot.phases),
      waitsFor: boot.waitsFor === undefined ? undefined : printable(boot.waitsFor, limits.message),
      failure: boot.failure === undefined ? undefined : printable(boot.failure, limits.message)
    }))
    return all.toSorted((a, b) => b.at - a.at)
  }
}
