/** What a runner was given to serve, as functions. */
import * as Effect from "effect/Effect"
import type { AnyImplemented } from "../FlameFunction.ts"
import { areFunctions, isGroup, type Servable } from "../Servable.ts"

/** Groups become the functions of their procedures; what serves them is loaded only where there are some. */
export const functionsOf = (served: ReadonlyArray<Servable>): Effect.Effect<ReadonlyArray<AnyImplemented>> => {
  if (areFunctions(served)) return Effect.succeed(served)
  return Effect.map(
    Effect.promise(() => import("./GroupServer.ts")),
    ({ implement }) => served.flatMap((one): ReadonlyArray<AnyImplemented> => (isGroup(one) ? implement(one) : [one]))
  )
}
