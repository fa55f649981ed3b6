/** The runner's end of the channel of one call: a stream, or a placed service. */
import type * as Effect from "effect/Effect"
import type { Channel } from "../wire/Channel.ts"

export interface ChannelServer {
  readonly channel: Channel
  /** Wraps the function of the call. The effect runs in the Scope of the call, and its end is the end of the channel. */
  readonly run: (made: Effect.Effect<unknown, unknown, unknown>) => Effect.Effect<unknown, unknown, unknown>
  /** Tells the call that its runner drains. The call may end itself within the budget of the drain. */
  readonly drain?: () => void
}
