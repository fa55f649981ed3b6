/** One call on its runner, from its Request to its final frame. */
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import type { ChannelServer } from "./ChannelServer.ts"
import type { CurrentCall } from "./Current.ts"
import type { Served } from "./Served.ts"

export class ServedCall {
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  span: Tracer.Span | undefined = undefined
  isCancelled = false
  readonly served: Served
  readonly current: CurrentCall
  /** When it began, where its caller wants to know how long it ran. */
  readonly since: number | undefined
  /** What its messages go by, when it is a channel. */
  readonly open: ChannelServer | undefined

  constructor(served: Served, current: CurrentCall, since: number | undefined, open: ChannelServer | undefined) {
    this.served = served
    this.current = current
    this.since = since
    this.open = open
  }

  /** Its function is interrupted; nobody waits for items that have not left. */
  stop(): void {
    this.fiber?.interruptUnsafe()
    this.open?.channel.drop()
  }

  /** The body that says how long it ran, up to now. */
  ranUntil(now: number): Uint8Array | undefined {
    if (this.since === undefined) return undefined
    const ran = Buffer.allocUnsafe(8)
    ran.writeDoubleBE(Math.max(0, now - this.since), 0)
    return ran
  }
}
