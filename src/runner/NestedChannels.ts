/**
 * Streams and placed services inside of functions. Each is a nested call that is answered by a channel: through the parent,
 * to the runner that serves it. `pool/life/NestedRelay.ts` is the parent's side.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { AnyEffect } from "../function/AnyEffect.ts"
import type { CurrentCall, Wanted } from "../function/Current.ts"
import type { AnyFunction } from "../function/FlameFunction.ts"
import * as FunctionCodec from "../function/FunctionCodec.ts"
import type { AnyService } from "../function/PlacedService.ts"
import { FlameError } from "../error/FlameError.ts"
import { Items } from "../call/Items.ts"
import { PlacedOwner } from "../call/peer/PlacedOwner.ts"
import type { ChannelCalls, OpenNested } from "./OpenNested.ts"

type Caller = Fiber.Fiber<unknown, unknown>

/** Calls a streaming function for a function. Returns a Pull of its items, which belongs to the Scope. */
export const stream = (
  nested: ChannelCalls,
  current: CurrentCall,
  caller: Caller,
  wanted: Wanted,
  bytes: Uint8Array
): AnyEffect =>
  Effect.andThen(
    nested.admit(current, wanted, bytes.length),
    Effect.uninterruptible(
      Effect.flatMap(Effect.scope, (scope) =>
        Effect.suspend(() => {
          const items = new Items(FunctionCodec.of(wanted.fn as AnyFunction))
          const open = nested.open(current, caller, wanted, bytes, items, (exit) => items.end(exit))
          items.call = { channel: open.channel }
          const close = (exit: Exit.Exit<unknown, unknown>) =>
            Effect.suspend(() => {
              items.close()
              // A consumer that has taken enough ends its Scope without an interruption.
              return nested.stop(open, !isInterrupted(exit))
            })
          return Effect.as(Scope.addFinalizerExit(scope, close), items.pull)
        })
      )
    )
  )

const isInterrupted = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)

/** Places a service for a function. Returns its client, which belongs to the Scope. */
export const place = (
  nested: ChannelCalls,
  current: CurrentCall,
  caller: Caller,
  wanted: Wanted,
  bytes: Uint8Array
): AnyEffect =>
  Effect.andThen(
    nested.admit(current, wanted, bytes.length),
    Effect.suspend(() => owner(nested, current, caller, wanted, bytes).place)
  )

const owner = (
  nested: ChannelCalls,
  current: CurrentCall,
  caller: Caller,
  wanted: Wanted,
  bytes: Uint8Array
): PlacedOwner => {
  let open: OpenNested | undefined
  const placed: PlacedOwner = new PlacedOwner(wanted.fn as AnyService, caller.context, {
    pool: wanted.pool,
    limit: nested.maxPayload,
    cancelGrace: nested.cancelGrace,
    channel: () => open!.channel!,
    // Only the parent knows the runners of its services.
    runner: () => "?",
    begin: () => {
      open = nested.open(current, caller, wanted, bytes, placed, (exit) => placed.over(exit))
    },
    built: () => {},
    end: (isBuilt) => nested.stop(open!, isBuilt),
    violate: (what) => {
      placed.over(Exit.fail(new FlameError({ reason: placed.endedBecause(`it broke the protocol: ${what}`) })))
      Effect.runForkWith(caller.context)(nested.stop(open!, false))
    }
  })
  return placed
}
