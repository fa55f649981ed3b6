/** The functions by which `backendConformance` tests a backend: its runners must serve them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flame from "../Flame.ts"
import * as FlameRunner from "../FlameRunner.ts"

/** The error with which `refuse` fails. */
export class Refusal extends Schema.TaggedError<Refusal>()("effect-flame/testing/Refusal", {
  why: Schema.String,
  at: Schema.Date
}) {}

/** A class that crosses the wire. */
export class Point extends Schema.Class<Point>("effect-flame/testing/Point")({ x: Schema.Number, y: Schema.Number }) {}

/** A value of many kinds. */
export const Parcel = Schema.Struct({
  point: Point,
  sent: Schema.Date,
  weight: Schema.BigInt,
  labels: Schema.ReadonlyMap(Schema.String, Schema.Array(Schema.Int)),
  note: Schema.optionalKey(Schema.String),
  content: Schema.Uint8Array,
  priority: Schema.Union([Schema.Literals(["low", "high"]), Schema.Null])
})

/** A Reference that crosses with every call. */
export const Tenant = Context.Reference<string>("effect-flame/testing/Tenant", { defaultValue: () => "nobody" })
Flame.propagate(Tenant, Schema.String)

// The journal of this process: of a runner, or of the test itself if runners are in memory. Entries have unique names.
const journal: Array<string> = []

/** Returns its bytes. */
export const echo = Flame.fn("conformance/echo", { payload: Schema.Uint8Array, success: Schema.Uint8Array }, (bytes) =>
  Effect.succeed(bytes)
)

/** Moves a parcel, which must have arrived complete. */
export const forward = Flame.fn("conformance/forward", { payload: { parcel: Parcel }, success: Parcel }, ({ parcel }) =>
  Effect.sync(() => {
    if (!(parcel.point instanceof Point)) throw new Error("the point is no instance of its class")
    return { ...parcel, point: new Point({ x: parcel.point.x + 1, y: parcel.point.y }) }
  })
)

/** Fails with its typed error. */
export const refuse = Flame.fn("conformance/refuse", { payload: { why: Schema.String }, error: Refusal }, ({ why }) =>
  Effect.fail(new Refusal({ why, at: new Date(0) }))
)

/** Dies with a defect. */
export const collapse = Flame.fn("conformance/collapse", { payload: { why: Schema.String } }, ({ why }) =>
  Effect.sync(() => {
    throw new RangeError(why)
  })
)

/** Returns nothing. */
export const nothing = Flame.fn("conformance/nothing", {}, () => Effect.void)

/** Returns where it runs, and what its call sent along. */
export const whoami = Flame.fn(
  "conformance/whoami",
  {
    success: Schema.Struct({ id: Schema.String, pool: Schema.String, tenant: Schema.String, hasBudget: Schema.Boolean })
  },
  () =>
    Effect.gen(function* () {
      const { id, pool, remaining } = yield* FlameRunner.Current
      return { id, pool, tenant: yield* Tenant, hasBudget: remaining !== undefined }
    })
)

/** Runs until it is interrupted. Its finalizer takes that many milliseconds. */
export const hold = Flame.fn(
  "conformance/hold",
  { payload: { name: Schema.String, cleanup: Schema.Int } },
  ({ cleanup, name }) =>
    Effect.andThen(
      Effect.sync(() => journal.push(`${name} runs`)),
      Effect.onInterrupt(Effect.never, () =>
        Effect.andThen(
          Effect.sleep(cleanup),
          Effect.sync(() => journal.push(`${name} is cleaned up`))
        )
      )
    )
)

/** The journal of its process. */
export const read = Flame.fn("conformance/read", { success: Schema.Array(Schema.String) }, () =>
  Effect.sync(() => [...journal])
)

/** Logs a line. */
export const say = Flame.fn("conformance/say", { payload: { line: Schema.String } }, ({ line }) =>
  Effect.logWarning(line)
)

/**
 * All functions of the suite, which the runners of a backend under test serve.
 *
 * @since 0.1.0
 * @category testing
 */
export const conformanceFunctions = [echo, forward, refuse, collapse, nothing, whoami, hold, read, say] as const
