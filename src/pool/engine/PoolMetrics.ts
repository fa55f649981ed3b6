/**
 * Counts what a pool does. Metrics of Effect's registry are read from here when somebody asks, so that a call pays
 * for two additions whether or not anybody does.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Totals } from "../status/PoolEvent.ts"

/** Upper bounds of the histogram of call times, in milliseconds: powers of four from 1 ms to about a quarter of an hour. */
const bounds = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576]

interface Timed {
  readonly submittedAt: number
  readonly dispatchedAt: number
  readonly cast: boolean
}

class Histogram {
  private readonly counts = new Array<number>(bounds.length + 1).fill(0)
  count = 0
  sum = 0
  private min = Infinity
  private max = -Infinity

  add(value: number): void {
    let slot = 0
    while (slot < bounds.length && value > bounds[slot]!) slot++
    this.counts[slot]!++
    this.count++
    this.sum += value
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
  }

  get state(): Metric.HistogramState {
    let below = 0
    const buckets = this.counts.map((count, slot): [number, number] => {
      below += count
      return [bounds[slot] ?? Infinity, below]
    })
    return {
      buckets,
      count: this.count,
      min: this.count === 0 ? 0 : this.min,
      max: this.count === 0 ? 0 : this.max,
      sum: this.sum
    }
  }
}

export class PoolMetrics {
  calls = 0
  casts = 0
  succeeded = 0
  failures = 0
  interrupted = 0
  castsFailed = 0
  boots = 0
  bootsFailed = 0
  runnersLost = 0
  private readonly queue = new Histogram()
  private readonly run = new Histogram()
  private readonly boot = new Histogram()

  submitted(cast: boolean): void {
    this.calls++
    if (cast) this.casts++
  }

  finished(call: Timed, now: number, succeeded: boolean): void {
    if (succeeded) this.succeeded++
    else this.failed(call.cast)
    this.queue.add(call.dispatchedAt - call.submittedAt)
    this.run.add(now - call.dispatchedAt)
  }

  failed(cast: boolean): void {
    this.failures++
    if (cast) this.castsFailed++
  }

  booted(millis: number, succeeded: boolean): void {
    this.boots++
    if (succeeded) this.boot.add(millis)
    else this.bootsFailed++
  }

  get totals(): Totals {
    return {
      calls: this.calls,
      succeeded: this.succeeded,
      failed: this.failures,
      interrupted: this.interrupted,
      casts: this.casts,
      castsFailed: this.castsFailed,
      boots: this.boots,
      bootsFailed: this.bootsFailed,
      runnersLost: this.runnersLost,
      queueMillis: this.queue.sum,
      runMillis: this.run.sum
    }
  }

  /** Makes the figures part of the registry of a context, as `flame_*` with the pool's id; the answer takes them out again. */
  register(
    pool: string,
    context: Context.Context<never>,
    now: () => Readonly<Record<"waiting" | "used" | "suspended" | "free" | "ready" | "booting", number>>
  ): () => void {
    const attributes = { pool }
    const registrations: Array<{ remove(): void }> = []
    const counter = (name: string, description: string, get: () => number) => {
      const metric = Metric.counter(name, { description, incremental: true, attributes })
      const hooks = { get: () => ({ count: get(), incremental: true }), update() {}, modify() {} }
      registrations.push(Metric.registerUnsafe(metric, context, hooks))
    }
    const gauge = (name: string, description: string, get: () => number) => {
      const metric = Metric.gauge(name, { description, attributes })
      registrations.push(
        Metric.registerUnsafe(metric, context, { get: () => ({ value: get() }), update() {}, modify() {} })
      )
    }
    const histogram = (name: string, description: string, get: () => Metric.HistogramState) => {
      const metric = Metric.histogram(name, { description, boundaries: bounds, attributes })
      registrations.push(Metric.registerUnsafe(metric, context, { get, update() {}, modify() {} }))
    }
    counter("flame_calls_total", "Calls that were made, casts included", () => this.calls)
    counter("flame_calls_succeeded_total", "Calls that succeeded", () => this.succeeded)
    counter("flame_calls_failed_total", "Calls that failed, for whatever reason", () => this.failures)
    counter("flame_calls_interrupted_total", "Calls whose callers were interrupted", () => this.interrupted)
    counter("flame_casts_failed_total", "Casts that failed, which nobody awaited", () => this.castsFailed)
    counter("flame_boots_total", "Boots that were tried", () => this.boots)
    counter("flame_boots_failed_total", "Boots that failed", () => this.bootsFailed)
    counter("flame_runners_lost_total", "Runners that went without being told to", () => this.runnersLost)
    gauge("flame_waiting", "Calls that wait for a slot now", () => now().waiting)
    gauge("flame_busy_slots", "Slots that calls have now", () => now().used)
    gauge("flame_free_slots", "Slots that calls could have at once now", () => now().free)
    gauge("flame_suspended", "Calls that wait for those which their functions make", () => now().suspended)
    gauge("flame_runners", "Runners that serve now", () => now().ready)
    gauge("flame_booting", "Runners that boot now", () => now().booting)
    histogram("flame_queue_ms", "Milliseconds that calls waited", () => this.queue.state)
    histogram("flame_run_ms", "Milliseconds from sending a call to its result", () => this.run.state)
    histogram("flame_boot_ms", "Milliseconds that successful boots took", () => this.boot.state)
    return () => {
      for (const registration of registrations) registration.remove()
    }
  }
}
