/** An app under attack: a pool whose one runner is a hostile program, with what the attack costs this process. */
import { Socket } from "node:net"
import { constants, PerformanceObserver, type PerformanceEntry } from "node:perf_hooks"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as FlameLayer from "../../src/FlameLayer.ts"
import type { Pool } from "../../src/pool/Pool.ts"
import { bundled } from "../fixtures/bundled.ts"
import { slowness } from "../fixtures/slowness.ts"

/** The cost of an attack. */
export interface Cost {
  /**
   * The most CPU time that this thread took without a turn of the event loop, in milliseconds. Without
   * collections of the whole heap: that of a test runner is large, and a collection of it takes as long as many attacks.
   */
  readonly stall: number
  /** CPU time of the whole process, as a share of one core. */
  readonly share: number
  /** How many times longer this process computes than a usual one, see `slowness`. */
  readonly slowness: number
  /** The time that was watched, in milliseconds. */
  readonly millis: number
  /** Bytes that this process read from its busiest connection. */
  readonly read: number
  /** The highest growth of resident memory, in bytes. */
  readonly memory: number
}

/** The bytes that were read from each open connection. */
const readings = (): ReadonlyMap<Socket, number> => {
  // Node documents only the names of the handles.
  const handles = (
    process as unknown as { readonly _getActiveHandles: () => ReadonlyArray<unknown> }
  )._getActiveHandles()
  return new Map(handles.filter((handle) => handle instanceof Socket).map((socket) => [socket, socket.bytesRead]))
}

/** Watches this process. Measures CPU time, because a test shares its machine with others. */
export class Watch {
  /** The turns of the event loop that took long: when, and their CPU time. */
  private readonly turns: Array<{ readonly from: number; readonly to: number; readonly cpu: number }> = []
  private readonly collected: Array<PerformanceEntry> = []
  private readonly collections = new PerformanceObserver((list) => void this.collected.push(...list.getEntries()))
  private highest = 0
  private readonly before = process.memoryUsage.rss()
  private readonly began = performance.now()
  private readonly cpu = process.cpuUsage()
  private readonly readBefore = readings()
  private last = process.threadCpuUsage()
  private lastAt = performance.now()
  private ticks = 0
  private readonly timer = setInterval(() => this.look(), 5)

  constructor() {
    this.collections.observe({ entryTypes: ["gc"] })
  }

  private look(): void {
    const now = process.threadCpuUsage()
    const at = performance.now()
    const cpu = (now.user + now.system - this.last.user - this.last.system) / 1000
    if (cpu > 20) this.turns.push({ from: this.lastAt, to: at, cpu })
    this.last = now
    this.lastAt = at
    if (++this.ticks % 10 === 0) this.highest = Math.max(this.highest, process.memoryUsage.rss())
  }

  /** The longest turn, without the collections of the whole heap in it. */
  private get stall(): number {
    const rest = this.turns.map(({ cpu, from, to }) => {
      const inside = this.collected.filter((entry) => {
        const { kind } = (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail
        return kind !== constants.NODE_PERFORMANCE_GC_MINOR && entry.startTime >= from && entry.startTime <= to
      })
      return cpu - inside.reduce((sum, { duration }) => sum + duration, 0)
    })
    return Math.max(0, ...rest)
  }

  end(): Cost {
    clearInterval(this.timer)
    this.look()
    this.collected.push(...this.collections.takeRecords())
    this.collections.disconnect()
    const { system, user } = process.cpuUsage(this.cpu)
    const millis = performance.now() - this.began
    return {
      stall: this.stall,
      share: (user + system) / 1000 / millis,
      slowness: slowness(),
      millis,
      read: Math.max(0, ...[...readings()].map(([socket, bytes]) => bytes - (this.readBefore.get(socket) ?? 0))),
      memory: Math.max(this.highest, process.memoryUsage.rss()) - this.before
    }
  }
}

/** A log line with its annotations. */
export interface Line {
  readonly text: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Runs an app whose runner attacks in that way. */
export const attacked = <A>(
  attack: string,
  app: (lines: ReadonlyArray<Line>) => Effect.Effect<A, never, Pool>,
  text: string = "",
  options: Partial<FlameLayer.LocalOptions> = {}
): Effect.Effect<A> =>
  Effect.gen(function* () {
    const lines: Array<Line> = []
    const logger = Logger.make<unknown, void>(({ cause, fiber, message }) => {
      const parts = Array.isArray(message) ? message.map(String) : [String(message)]
      const annotations = fiber.getRef(References.CurrentLogAnnotations)
      lines.push({ text: [...parts, ...cause.reasons.map(String)].join(" "), annotations })
    })
    const layer = FlameLayer.local({
      entry: yield* Effect.promise(() => bundled(new URL("../fixtures/hostile/runner.ts", import.meta.url))),
      env: { ATTACK: attack, TEXT: Buffer.from(text).toString("hex") },
      max: 1,
      concurrency: 4,
      cancelGrace: "500 millis",
      drainTimeout: "500 millis",
      ...options
    })
    return yield* Effect.provide(app(lines), layer).pipe(Effect.orDie, Effect.provide(Logger.layer([logger])))
  })

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/**
 * The memory that is in use, in bytes, after a collection of garbage: the resident memory of a test runner follows its own
 * heap.
 */
export const inUse = (): number => {
  collect()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}
