/**
 * Sends the metrics of a runner's functions to the registry of their parent, so that one exporter serves all runners.
 *
 * Changes are sent every `metricsInterval`, and once more before the session ends. A call does no work for metrics. A
 * runner that is killed loses the changes since its last frame.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { Kind } from "../wire/Frame.ts"
import type { Link } from "../wire/Link.ts"
import type { frames, MetricDelta } from "../wire/MetricDelta.ts"

/** Reads the changes of a registry, and packs them into frames. */
export interface MetricReader {
  readonly take: () => ReadonlyArray<MetricDelta>
  readonly frames: typeof frames
}

export class MetricForward {
  private readonly context: Context.Context<never>
  private link: Link | undefined
  private every = Infinity
  private reader: MetricReader | undefined
  /** Whether the registry is the runner's own and empty, so that nothing has to be read or sent. */
  private isUnused: () => boolean
  private isOver = false
  private timer: Fiber.Fiber<unknown> | undefined

  /** `own` reads the registry of a runner in the process of its parent. Default the registry of the context. */
  constructor(context: Context.Context<never>, own?: MetricReader, isUnused: () => boolean = () => false) {
    this.context = context
    this.reader = own
    this.isUnused = isUnused
  }

  /** Begins to send: the parent has let this runner in, and takes changes every so many milliseconds. */
  open(link: Link, every: number | undefined): void {
    if (every === undefined || this.isOver) return
    this.link = link
    this.every = every
    this.arm()
  }

  /** Sends the last changes. Runs before the goodbye. */
  get flush(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.link === undefined || this.isUnused()
        ? Effect.void
        : // Files of a former build may be gone: the runner leaves without its last metrics then.
          Effect.ignoreCause(Effect.map(this.loaded, (reader) => this.send(reader)))
    )
  }

  close(): void {
    this.isOver = true
    this.timer?.interruptUnsafe()
  }

  /** Sets the timer for the next frame, unless it is set. */
  arm(): void {
    if (this.isOver || this.timer !== undefined || this.link === undefined || this.isUnused()) return
    const tick = Effect.map(this.loaded, (reader) => {
      this.send(reader)
      this.timer = undefined
      this.arm()
    })
    this.timer = Effect.runForkWith(this.context)(Effect.ignoreCause(Effect.delay(tick, this.every), { log: true }))
  }

  /** Loads the reader of metrics when it is first needed, so that no boot pays for it. */
  private get loaded(): Effect.Effect<MetricReader> {
    return this.reader === undefined
      ? Effect.promise(async () => {
          const [{ MetricChanges }, { frames }, { MetricRegistry }] = await Promise.all([
            import("./MetricChanges.ts"),
            import("../wire/MetricDelta.ts"),
            import("effect/Metric")
          ])
          const changes = new MetricChanges(Context.get(this.context, MetricRegistry), this.context)
          return (this.reader ??= { take: () => changes.take(), frames })
        })
      : Effect.succeed(this.reader)
  }

  private send({ frames, take }: MetricReader): void {
    const { link } = this
    if (link === undefined || link.closed) return
    for (const body of frames(take())) link.control(Kind.Metrics, 0, body)
  }
}
