/**
 * The procedures of an RpcGroup as functions: each is called and served under its tag.
 *
 * A failure travels as a Cause of the procedure's error and those of its middleware, with the procedure's defect schema.
 */
import * as Context from "effect/Context"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSchema from "effect/rpc/RpcSchema"
import * as Schema from "effect/Schema"
import { type AnyFunction, type AnyPool, checkMaxValue, MaxValue } from "./FlameFunction.ts"
import { checkCopy } from "./Requirements.ts"
import { fingerprint, refusal } from "../schema/SchemaLayout.ts"
import type { AnyGroup } from "./Servable.ts"

/** A procedure, as the engine sees it. */
export interface GroupFunction extends AnyFunction {
  readonly rpc: Rpc.AnyWithProps
}

/** The functions of a group by their tags. Throws if a procedure has a schema that cannot be sent, with the path. */
export const of = (group: AnyGroup): ReadonlyArray<GroupFunction> =>
  [...(group as unknown as RpcGroup.RpcGroup<Rpc.Any>).requests.values()].map((rpc) =>
    functionOf(rpc as unknown as Rpc.AnyWithProps)
  )

// The client of a group names the pool; the group does not.
const pool = Context.Service<AnyPool, unknown>()("effect-flame/Pool")

const known = new WeakMap<Rpc.AnyWithProps, GroupFunction>()

const functionOf = (rpc: Rpc.AnyWithProps): GroupFunction => {
  let fn = known.get(rpc)
  if (fn === undefined) known.set(rpc, (fn = make(rpc)))
  return fn
}

const make = (rpc: Rpc.AnyWithProps): GroupFunction => {
  const streamed = RpcSchema.isStreamSchema(rpc.successSchema) ? rpc.successSchema : undefined
  const errors = new Set([rpc.errorSchema, ...(streamed === undefined ? [] : [streamed.error])])
  for (const { error } of rpc.middlewares) errors.add(error)
  const sides = {
    payload: rpc.payloadSchema,
    success: streamed?.success ?? rpc.successSchema,
    error: Schema.Cause(Schema.Union([...errors]), rpc.defectSchema)
  }
  for (const [side, schema] of Object.entries(sides)) {
    checkCopy(rpc._tag, schema)
    const untyped = refusal(schema, side)
    if (untyped !== undefined) throw new Error(`procedure ${rpc._tag}: ${untyped}`)
  }
  let layout: string | undefined
  return {
    ...sides,
    rpc,
    name: rpc._tag,
    pool,
    timeout: undefined,
    idempotent: false,
    stream: streamed !== undefined,
    maxValue: checkMaxValue(rpc._tag, Context.get(rpc.annotations, MaxValue)),
    // Computed when the first runner boots: a suspended schema may not exist before.
    get layout() {
      const all = [sides.payload, sides.success, sides.error].map(fingerprint)
      return (layout ??= [...all, ...(streamed === undefined ? [] : ["stream"])].join("-"))
    }
  }
}
