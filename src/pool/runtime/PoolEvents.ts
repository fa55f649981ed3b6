/** The stream of events of one pool, with a buffer for each reader. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import { confine } from "../../error/Unhandled.ts"
import type { PoolEvent } from "../status/PoolEvent.ts"

/** Events that are kept for a slow reader. Beyond that the reader misses the oldest. */
const eventBuffer = 1_024

export class PoolEvents {
  private readonly takes: PubSub.PubSub<Take.Take<PoolEvent>>
  /** Whether the last event is published. */
  private isEnded = false

  constructor(takes: PubSub.PubSub<Take.Take<PoolEvent>>) {
    this.takes = takes
  }

  publish(event: PoolEvent): void {
    this.offer([event])
  }

  /** Ends the stream of every reader, after the events that the reader has not read yet. */
  end(): void {
    // Not a shutdown of the PubSub, which would drop those events.
    this.isEnded = true
    this.offer(Exit.void)
  }

  private offer(take: Take.Take<PoolEvent>): void {
    confine(() => {
      // `publishUnsafe` drops the newest event if a reader is behind. `publish` drops the oldest, and never the end.
      if (!PubSub.publishUnsafe(this.takes, take)) Effect.runSync(PubSub.publish(this.takes, take))
    })
  }

  /** The events from now on. The stream ends once its reader has all events of a pool that is closed. */
  get stream(): Stream.Stream<PoolEvent> {
    return Stream.suspend(() => (this.isEnded ? Stream.empty : Stream.fromPubSubTake(this.takes)))
  }
}

export const make: Effect.Effect<PoolEvents> = Effect.map(
  PubSub.sliding<Take.Take<PoolEvent>>(eventBuffer),
  (takes) => new PoolEvents(takes)
)
