/** A function as a runner serves it: its code, its codec, and its end of a channel. */
import * as Effect from "effect/Effect"
import type { AnyImplemented } from "../function/FlameFunction.ts"
import * as FunctionCodec from "../function/FunctionCodec.ts"
import type { LinkEnd } from "../wire/Channel.ts"
import type { Transport } from "../wire/Transport.ts"
import type { ChannelServer } from "./ChannelServer.ts"
import * as StreamServer from "./StreamServer.ts"

export interface Served {
  readonly fn: AnyImplemented
  readonly codec: FunctionCodec.FunctionCodec
  /** Makes the runner's end of a channel before the function runs, where each call is a channel. `max`: bytes of a message. */
  readonly open: ((end: LinkEnd, max: number) => ChannelServer) | undefined
}

/** A function that makes the channel of each of its calls itself, such as a placed service. */
export interface OpenFunction extends AnyImplemented {
  readonly open?: (end: LinkEnd, max: number) => ChannelServer
}

export const of = (fn: OpenFunction): Served => {
  const codec = FunctionCodec.of(fn)
  return { fn, codec, open: fn.open ?? (fn.stream ? (end, max) => StreamServer.serve(end, codec, max) : undefined) }
}

/** Compiles codecs before the first calls, one function in each turn, until a call comes. */
export const prepare = (functions: ReadonlyArray<Served>, transport: Transport, isOver: () => boolean): void => {
  const left = functions.values()
  const step = (): void => {
    const next = left.next()
    if (next.done === true || isOver()) return
    compile(next.value.codec)
    transport.later(step)
  }
  transport.later(step)
}

/** Throws for a result or an error that cannot be encoded at all: a call dies of it before its function runs. */
export const compileAnswers = (codec: FunctionCodec.FunctionCodec): void => {
  void codec.success
  void codec.error
}

const compile = (codec: FunctionCodec.FunctionCodec): void => {
  try {
    compileAnswers(codec)
    void codec.payload
  } catch {
    // reported to each call
  }
}

/** Whether results and errors are encoded without a wait. False also for a codec that cannot be compiled. */
export const encodesAtOnce = ({ codec }: Served): boolean => {
  try {
    return codec.success.isSync && codec.error.isSync
  } catch {
    return false
  }
}

/** Runs the function. The payload follows `start` in the Request, or is `large`, which came in parts. */
export const run = (
  { codec, fn }: Served,
  body: Buffer,
  start: number,
  large: Uint8Array | undefined
): Effect.Effect<unknown, unknown, unknown> => {
  try {
    compileAnswers(codec)
    const bytes = large ?? body.subarray(start)
    if (codec.payload.isSync) return fn.implementation(codec.payload.decode(bytes, large !== undefined))
    // decoded after this turn, in which the link may use its buffer again
    const own = large ?? Buffer.from(bytes)
    return Effect.flatMap(Effect.orDie(codec.payload.decodeEffect(own, true)), fn.implementation)
  } catch (defect) {
    return Effect.die(defect)
  }
}
