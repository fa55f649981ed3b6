/**
 * Records all pools of this process, for as long as a layer of `FlameStatus` needs it. All layers share one recorder: the
 * last that closes ends it, and nothing is kept then.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Os from "node:os"
import { life } from "../../process/Life.ts"
import * as Pools from "../../pool/runtime/Pools.ts"
import { poolDocument } from "./PoolPicture.ts"
import { type Listener, PoolRecord } from "./PoolRecord.ts"
import type { RunnerLine } from "./LineRing.ts"
import { type StatusDocument, version } from "./StatusDocument.ts"
import { tickMillis } from "./Tick.ts"

/** Receives events and log lines as they happen, and a call of `tick` at each tick. */
export interface RecordListener extends Listener {
  readonly tick: () => void
}

export class Recorder {
  readonly listeners = new Set<RecordListener>()
  private readonly records = new WeakMap<Pools.OwnPool, PoolRecord>()
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
    Pools.watch((pool) => this.watch(pool))
  }

  private watch(pool: Pools.OwnPool): PoolRecord {
    const record = new PoolRecord(pool, this.clock, {
      event: (event) => this.listeners.forEach((listener) => listener.event(event)),
      line: (line) => this.listeners.forEach((listener) => listener.line(line))
    })
    this.records.set(pool, record)
    return record
  }

  /** Adds the figures of one tick to the record of each pool, then tells the listeners. */
  tick(): void {
    for (const pool of Pools.own()) this.records.get(pool)?.tick()
    for (const listener of this.listeners) listener.tick()
  }

  /** The document. `hasCalls` is false for viewers, who get it each second. */
  document(options: { readonly actions: boolean; readonly hasCalls: boolean }): StatusDocument {
    const now = this.clock.currentTimeMillisUnsafe()
    return {
      version,
      at: now,
      parent: {
        life,
        pid: process.pid,
        host: Os.hostname(),
        program: process.argv[1] ?? "",
        node: process.version,
        startedAt: Math.round(performance.timeOrigin)
      },
      actions: options.actions,
      pools: Pools.own().flatMap((pool) => {
        const record = this.records.get(pool)
        return record === undefined ? [] : [poolDocument(pool, record, options.hasCalls)]
      })
    }
  }

  /** The lines of all pools that are kept, oldest first. */
  get lines(): ReadonlyArray<RunnerLine> {
    return Pools.own()
      .flatMap((pool) => this.records.get(pool)?.lines.read() ?? [])
      .toSorted((a, b) => a.at - b.at)
  }
}

let shared: { readonly recorder: Recorder; readonly fiber: Fiber.Fiber<unknown>; users: number } | undefined

/** The recorder of this process. The scope gives it back. */
export const acquire: Effect.Effect<Recorder, never, Scope.Scope> = Effect.acquireRelease(
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() => {
      if (shared === undefined) {
        const recorder = new Recorder(Context.get(context, Clock.Clock))
        const tick = Effect.delay(
          Effect.ignoreCause(
            Effect.sync(() => recorder.tick()),
            { log: true }
          ),
          tickMillis
        )
        shared = { recorder, fiber: Effect.runForkWith(context)(Effect.forever(tick)), users: 0 }
      }
      shared.users++
      return shared.recorder
    })
  ),
  () =>
    Effect.sync(() => {
      if (shared === undefined || --shared.users > 0) return
      shared.fiber.interruptUnsafe()
      shared = undefined
      Pools.watch(undefined)
    })
)
