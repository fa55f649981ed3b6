/** A function as its runner serves it. */
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
  /** Where each call of it is a channel: makes this end, before the function runs; no message may be larger than `max`. */
  readonly open: ((end: LinkEnd, max: number) => ChannelServer) | undefined
}

/** A function that brings its own end of the channel that each call of it is. */
export interface OpenFunction extends AnyImplemented {
  readonly open?: (end: LinkEnd, max: number) => ChannelServer
}

export const of = (fn: OpenFunction): Served => {
  const codec = FunctionCodec.of(fn)
  return { fn, codec, open: fn.open ?? (fn.stream ? (end, max) => StreamServer.serve(end, codec, max) : undefined) }
}

/** Compiles what first calls would wait for while there is nothing else to do: a function in each turn. */
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

/** Runs the function with the payload that follows `start` in a Request, or with the one that came in parts. */
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
    // it may be decoded after this turn, when what is not ours is used again
    const own = large ?? Buffer.from(bytes)
    return Effect.flatMap(Effect.orDie(codec.payload.decodeEffect(own, true)), fn.implementation)
  } catch (defect) {
    return Effect.die(defect)
  }
}
