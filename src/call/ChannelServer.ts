/** The runner's end of one call that is a channel. */
import type * as Effect from "effect/Effect"
import type { Channel } from "../wire/Channel.ts"

export interface ChannelServer {
  readonly channel: Channel
  /** What the call runs instead of the function alone, in its Scope; its end is the end of the channel. */
  readonly run: (made: Effect.Effect<unknown, unknown, unknown>) => Effect.Effect<unknown, unknown, unknown>
  /** The runner must go: it has until the end of the drain's budget. */
  readonly drain?: () => void
}
