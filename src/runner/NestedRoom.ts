/**
 * The room for the nested calls of one runner. The parent ends the session of a runner that goes beyond it, so the runner
 * refuses a call beyond a count by itself, and lets a call beyond the bytes wait.
 */
import * as Effect from "effect/Effect"
import { QueueFull } from "../error/FlameError.ts"
import { confine } from "../error/Unhandled.ts"
import type { CurrentCall } from "../function/Current.ts"
import * as NestedHead from "../wire/NestedHead.ts"
import type { OpenNested } from "./OpenNested.ts"

export class NestedRoom {
  private calls = 0
  private channels = 0
  /** Bytes of payloads whose calls have not ended. */
  private size = 0
  /** Calls that wait until fewer bytes are in flight. */
  private readonly waiting = new Set<() => void>()

  /** Counts a nested call that begins. */
  take({ channel, current, size }: OpenNested): void {
    this.calls++
    this.size += size
    if (channel !== undefined) this.channels++
    current.nested++
  }

  /** Gives back the room of a nested call that has ended. */
  give({ channel, current, size }: OpenNested): void {
    this.calls--
    this.size -= size
    if (channel !== undefined) this.channels--
    current.nested--
    if (this.waiting.size > 0) this.wake()
  }

  /** The reason why a call may not begin now. A channel is a stream or a placed service. */
  refusal(current: CurrentCall, name: string, pool: string, isChannel: boolean): QueueFull | undefined {
    const full = (waiting: number, capacity: number) => new QueueFull({ pool, function: name, waiting, capacity })
    if (this.calls >= NestedHead.maxOpen) return full(this.calls, NestedHead.maxOpen)
    if (current.nested >= NestedHead.maxOpenOfCall) return full(current.nested, NestedHead.maxOpenOfCall)
    if (isChannel && this.channels >= NestedHead.maxChannels) return full(this.channels, NestedHead.maxChannels)
    return undefined
  }

  /** Whether so many bytes are in flight that a call waits before it is sent. */
  get isCrowded(): boolean {
    return this.size >= NestedHead.limits.mostHeld
  }

  /** Completes when a nested call has ended. */
  readonly wait: Effect.Effect<void> = Effect.callback((resume) => {
    const go = () => resume(Effect.void)
    this.waiting.add(go)
    return Effect.sync(() => this.waiting.delete(go))
  })

  /** Lets the calls that wait look again. */
  wake(): void {
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const go of waiting) confine(go)
  }
}
