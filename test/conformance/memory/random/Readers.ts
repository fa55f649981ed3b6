/** Readers of a pool's events that read on, throw, never read again, or are interrupted. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { PoolShape } from "../../../../src/pool/runtime/PoolShape.ts"
import type { PoolEvent } from "../../../../src/pool/status/PoolEvent.ts"
import { start } from "../harness.ts"
import { isThrown, Thrown } from "./Chaos.ts"

export const manners = ["reads", "throws", "sleeps"] as const

interface Reader {
  readonly manner: (typeof manners)[number]
  readonly seen: Array<PoolEvent>
  readonly fiber: Fiber.Fiber<void>
  isInterrupted: boolean
}

export class Readers {
  private readonly all: Array<Reader> = []
  private readonly pool: PoolShape

  constructor(pool: PoolShape) {
    this.pool = pool
  }

  /** Starts a reader that throws, or never reads again, once it has seen `after` events. */
  begin(manner: Reader["manner"], after: number): Effect.Effect<void, never, Scope.Scope> {
    const seen: Array<PoolEvent> = []
    const read = (event: PoolEvent) =>
      Effect.suspend(() => {
        if (manner !== "reads" && seen.length === after) {
          if (manner === "throws") throw new Thrown("reader")
          return Effect.never
        }
        seen.push(event)
        return Effect.void
      })
    return Effect.map(start(Stream.runForEach(this.pool.events, read)), (fiber) => {
      this.all.push({ manner, seen, fiber, isInterrupted: false })
    })
  }

  /** Interrupts a reader that has not ended. */
  interrupt(among: <A>(values: ReadonlyArray<A>) => A): Effect.Effect<void> {
    const open = this.all.filter(({ fiber }) => fiber.pollUnsafe() === undefined)
    if (open.length === 0) return Effect.void
    const reader = among(open)
    reader.isInterrupted = true
    return Fiber.interrupt(reader.fiber)
  }

  /** Checks that each reader has seen all events in their order until its own end, whatever the others did. */
  check(events: ReadonlyArray<PoolEvent>, isClosed: boolean): void {
    for (const { fiber, isInterrupted, manner, seen } of this.all) {
      const exit = fiber.pollUnsafe()
      const from = seen.length === 0 ? events.length : events.indexOf(seen[0]!)
      assert.deepStrictEqual(seen, events.slice(from, from + seen.length), `a reader that ${manner}`)
      if (exit !== undefined && Exit.isFailure(exit)) {
        const isOwn = isInterrupted ? Cause.hasInterruptsOnly(exit.cause) : isThrown(Cause.squash(exit.cause))
        assert.isTrue(isOwn, String(exit.cause))
      } else if (manner === "reads") {
        assert.strictEqual(exit !== undefined, isClosed, "a reader ends with its pool")
        assert.strictEqual(from + seen.length, events.length, "events that a reader has seen")
      }
    }
  }
}
