/** A nested call on its runner, and the interface of `NestedCalls.ts` for streams and placed services of functions. */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import type * as Outcome from "../call/Outcome.ts"
import type { FlameError } from "../error/FlameError.ts"
import type { CurrentCall, Wanted } from "../function/Current.ts"
import type { AnyFunction } from "../function/FlameFunction.ts"
import type { Channel, ChannelHandlers } from "../wire/Channel.ts"

/** A nested call without a final frame. */
export interface OpenNested {
  readonly id: number
  readonly fn: AnyFunction
  readonly current: CurrentCall
  readonly wanted: Wanted
  readonly size: number
  readonly resume: (exit: Outcome.CallExit) => void
  /** The span of the call, if there is a tracer, and the context of the span. */
  readonly span: Tracer.Span | undefined
  readonly context: Context.Context<never>
  /** The channel of a stream or a placed service. */
  readonly channel: Channel | undefined
  /** The fibers that wait for the end of a nested call that was given up. */
  stopped: Array<() => void> | undefined
  isGivenUp: boolean
}

/** The nested calls of a runner that are answered by channels. */
export interface ChannelCalls {
  /** Waits until a nested call with a payload of so many bytes may be sent. Fails for a call beyond the limits. */
  readonly admit: (current: CurrentCall, wanted: Wanted, size: number) => Effect.Effect<void, FlameError>
  /** Sends a nested call. `resume` gets its exit, once, unless `stop` comes before. */
  readonly open: (
    current: CurrentCall,
    caller: Fiber.Fiber<unknown, unknown>,
    wanted: Wanted,
    bytes: Uint8Array,
    messages: ChannelHandlers,
    resume: (exit: Outcome.CallExit) => void
  ) => OpenNested
  /** Stops a nested call, and waits for its end. `isEnough`: the function needs nothing more. */
  readonly stop: (open: OpenNested, isEnough: boolean) => Effect.Effect<void>
  /** Milliseconds that a nested call may take to stop. */
  readonly cancelGrace: number
  /** The largest payload, in bytes. */
  readonly maxPayload: number
}
