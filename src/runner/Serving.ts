/** Turns the things that a runner serves into functions. */
import * as Effect from "effect/Effect"
import type { AnyImplemented } from "../function/FlameFunction.ts"
import type { AnyPlacedCode } from "../function/PlacedService.ts"
import * as Layer from "effect/Layer"
import type { AnyGroup, PoolFunctions, Servable } from "../function/Servable.ts"

/**
 * The part that concerns the runners of one pool: the functions, and the layer of the services that only these runners
 * build.
 *
 * Without a pool: the part of all pools, for runners in memory, which share one context.
 */
export const partOf = (
  served: ReadonlyArray<Servable>,
  pool: string | undefined
): { readonly served: ReadonlyArray<Servable>; readonly services: Layer.Layer<never, unknown> | undefined } => {
  if (!served.some(isForPool)) return { served, services: undefined }
  const mine = served.filter((one) => !isForPool(one) || pool === undefined || one.forPool === pool)
  const layers = mine.flatMap((one) => (isForPool(one) && one.services !== undefined ? [one.services] : []))
  const [first, ...rest] = layers
  return {
    served: mine.flatMap((one) => (isForPool(one) ? one.functions : [one])),
    services: first === undefined ? undefined : Layer.mergeAll(first, ...rest)
  }
}

const isForPool = (u: Servable): u is PoolFunctions<unknown> => "forPool" in u

/**
 * Turns groups into the functions of their procedures, and placed services into functions that place them. The modules for
 * either are loaded only if there are some.
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
      return [isService(one) ? services!.implement(one) : (one as AnyImplemented)]
    })
  })
}

// Recognises a group by its members, because a check by class would load Effect's RPC.
const isGroup = (u: Servable): u is AnyGroup => "requests" in u && "toLayerHandler" in u

const isService = (u: Servable): u is AnyPlacedCode => "build" in u && "group" in u
