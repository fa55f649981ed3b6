/**
 * Places services for the app. A placed service is a call that builds the service. The call lasts until its owner's Scope
 * closes or the service ends.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { FlameError } from "../../error/FlameError.ts"
import { PlacedOwner } from "../../call/peer/PlacedOwner.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import type { AnyService } from "../../function/PlacedService.ts"
import { Call, type CallTerms } from "../engine/Call.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"

/**
 * Places a service for a fiber, and returns its client. The context of the fiber answers the requests of the service.
 */
export const place = (
  engine: PoolEngine,
  owner: Fiber.Fiber<unknown, unknown>,
  service: AnyService,
  payload: unknown,
  terms: CallTerms,
  tooLarge: (bytes: Uint8Array) => Effect.Effect<never, FlameError> | undefined
): Effect.Effect<object, unknown, unknown> => {
  const codec = FunctionCodec.of(service)
  return codec.encodePayload(
    payload,
    (bytes) => tooLarge(bytes) ?? Effect.suspend(() => placing(engine, owner, service, codec, bytes, terms).place)
  ) as Effect.Effect<object, unknown, unknown>
}

const placing = (
  engine: PoolEngine,
  owner: Fiber.Fiber<unknown, unknown>,
  service: AnyService,
  codec: FunctionCodec.FunctionCodec,
  bytes: Uint8Array,
  terms: CallTerms
): PlacedOwner => {
  const call = new Call(engine, service, codec, bytes, terms, engine.now(), (exit) => placed.over(exit))
  const placed = new PlacedOwner(service, owner.context, {
    pool: engine.pool,
    limit: engine.settings.maxPayload,
    cancelGrace: engine.settings.cancelGrace,
    channel: () => call.channel!,
    runner: () => engine.runners.get(call.ranOn)?.id ?? "?",
    begin: () => engine.submit(call),
    built: () => {
      call.expiry = undefined
      if (call.heapIndex >= 0) engine.timer.cancel(call)
    },
    end: (isBuilt) => (isBuilt ? engine.finish(call) : engine.interrupt(call)),
    violate: (what) => engine.runners.get(call.runner)?.handle?.link.violate(what)
  })
  call.messages = placed
  return placed
}
