/** What a runner was given to serve, as functions. */
import * as Effect from "effect/Effect"
import type { AnyImplemented } from "../function/FlameFunction.ts"
import type { AnyPlacedCode } from "../function/PlacedService.ts"
import type { AnyGroup, Servable } from "../function/Servable.ts"

/**
 * Groups become the functions of their procedures, placed services what places them; what serves either is loaded only
 * where there are some.
 */
export const functionsOf = (served: ReadonlyArray<Servable>): Effect.Effect<ReadonlyArray<AnyImplemented>> => {
  const isGroups = served.some(isGroup)
  const isServices = served.some(isService)
  if (!isGroups && !isServices) return Effect.succeed(served as ReadonlyArray<AnyImplemented>)
  return Effect.promise(async () => {
    const groups = isGroups ? await import("../call/GroupServer.ts") : undefined
    const services = isServices ? await import("./PlacedServer.ts") : undefined
    return served.flatMap((one): ReadonlyArray<AnyImplemented> => {
      if (isGroup(one)) return groups!.implement(one)
      return [isService(one) ? services!.implement(one) : one]
    })
  })
}

// asked without loading Effect's RPC, whose groups are not marked as such
const isGroup = (u: Servable): u is AnyGroup => "requests" in u && "toLayerHandler" in u

const isService = (u: Servable): u is AnyPlacedCode => "build" in u && "group" in u
