/** Functions of every kind for the random test: calls, streams, groups, placed services, and each of these nested. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Stream from "effect/Stream"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Flame from "../../../../src/Flame.ts"
import type { Pool } from "../../../../src/pool/Pool.ts"
import { Board, Refusal } from "../functions.ts"
import { Thrown } from "./Chaos.ts"

/** A codec that throws for the values that name it: `payload` on its way to the runner, `result` on its way back. */
const codec = (of: "payload" | "result") => {
  const through = (way: string) => (value: string) => {
    if (value === `${of}.${way}`) throw new Thrown(`codec ${value}`)
    return value
  }
  return Schema.String.pipe(
    Schema.decodeTo(
      Schema.String,
      SchemaTransformation.transform({ decode: through("decode"), encode: through("encode") })
    )
  )
}

/** The codec that throws for a job, if any. */
export const troubles = ["", "", "", "payload.encode", "payload.decode", "result.encode", "result.decode"] as const

const ends = Schema.Literals(["well", "badly", "dead", "late", "stubborn"])
const job = { id: Schema.Int, millis: Schema.Int, ends, trouble: codec("payload") }
const Told = Schema.Struct({ id: Schema.Int, trouble: codec("result") })

export interface Job {
  readonly id: number
  readonly millis: number
  readonly ends: typeof ends.Type
  readonly trouble: string
}

/** `late` takes a while when it is interrupted, but less than cancelGrace. `stubborn` is uninterruptible. */
const run = ({ ends, id, millis, trouble }: Job, hasSlot = true) =>
  Effect.flatMap(Board, (board) => {
    const work = Effect.andThen(
      Effect.sleep(millis),
      Effect.suspend((): Effect.Effect<typeof Told.Type, Refusal> => {
        if (ends === "badly") return Effect.fail(new Refusal({ why: `${id}` }))
        return ends === "dead" ? Effect.die(new Error(`${id}`)) : Effect.succeed({ id, trouble })
      })
    )
    if (ends === "stubborn") return Effect.uninterruptible(board.run(`${id}`, work, hasSlot))
    return board.run(
      `${id}`,
      ends === "late" ? Effect.onInterrupt(work, () => Effect.sleep("700 millis")) : work,
      hasSlot
    )
  })

/** The run of a call, which holds a slot. */
const called = (job: Job) => run(job)

const contract = { payload: job, success: Told, error: Refusal }

export const once = Flame.fn("once", contract, called)
export const often = Flame.fn("often", { ...contract, idempotent: true }, called)
export const thrice = Flame.fn("thrice", { ...contract, stream: true }, (job) =>
  Stream.flatMap(Stream.fromEffect(run(job)), (told) => Stream.rechunk(Stream.make(told, told, told), 1))
)

export class Procedures extends RpcGroup.make(
  Rpc.make("work", { payload: job, success: Told, error: Refusal }),
  Rpc.make("counted", { payload: { to: Schema.Int, millis: Schema.Int }, success: Schema.Int, stream: true })
) {}

const procedures = (hasSlot: boolean) =>
  Procedures.of({
    work: (job) => run(job, hasSlot) as Effect.Effect<typeof Told.Type, Refusal, Board>,
    counted: ({ millis, to }) =>
      Stream.range(1, to).pipe(
        Stream.rechunk(1),
        Stream.tap(() => Effect.sleep(millis))
      )
  })

/** The handlers of the group, which runners build. */
export const ProceduresLive = Procedures.toLayer(procedures(true))

/** A service that takes a while to build and to end. Its build may fail or die. */
export const desk = Flame.service("desk", { group: Procedures, payload: job, error: Refusal }, ({ trouble, ...job }) =>
  Procedures.toLayer(
    Effect.gen(function* () {
      yield* run({ ...job, trouble: "" }, false)
      if (trouble === "result.encode") return yield* Effect.die(new Thrown("service"))
      yield* Effect.addFinalizer(() => Effect.sleep(Math.min(job.millis, 300)))
      return procedures(false)
    })
  )
)

/** The kinds of nested work. */
export const kinds = ["call", "calls", "cast", "stream", "place", "group"] as const

const nest = {
  id: Schema.Int,
  kind: Schema.Literals(kinds),
  take: Schema.Int,
  depth: Schema.Int,
  inner: Schema.Struct(job)
}

/** Makes the effect of a kind of work, for an app or a function. */
export const doing = (
  kind: (typeof kinds)[number],
  inner: Job,
  take: number
): Effect.Effect<unknown, unknown, Pool> => {
  switch (kind) {
    case "call":
      return Flame.call(once, inner)
    case "calls":
      return Effect.forEach([0, 1, 2], (n) => Effect.exit(Flame.call(often, { ...inner, id: inner.id + n })), {
        concurrency: "unbounded"
      })
    case "cast":
      return Flame.cast(once, inner)
    case "stream":
      return Stream.runDrain(Stream.take(Flame.stream(thrice, inner), take))
    case "group":
      return Effect.flatMap(Flame.client(Procedures), (client) =>
        Effect.andThen(
          Effect.exit(client.work(inner)),
          Stream.runDrain(Stream.take(client.counted({ to: 5, millis: 10 }), take))
        )
      )
    case "place":
      return Effect.scoped(
        Effect.flatMap(Flame.place(desk, { ...inner, id: inner.id + 3 }), (client) =>
          Effect.andThen(
            Effect.exit(client.work({ ...inner, id: inner.id + 4 })),
            Stream.runDrain(Stream.take(client.counted({ to: 5, millis: 10 }), take))
          )
        )
      )
  }
}

const outerContract = Flame.contract("outer", { payload: nest, success: Schema.String })
export const outer = Flame.implement(outerContract, ({ depth, id, inner, kind, take }) =>
  Effect.flatMap(Board, (board) =>
    board.run(
      `${id}`,
      Effect.map(
        Effect.exit(
          depth > 1
            ? Flame.call(outerContract, { id: id + 1, depth: depth - 1, inner, kind, take })
            : doing(kind, inner, take)
        ),
        (exit) => (Exit.isSuccess(exit) ? "ok" : "failed")
      ),
      false
    )
  )
)

/** An `idleWhen` that throws, dies, never ends or objects while it is broken, and whose codec throws. */
export const idler = (foreign: (by: string) => void, random: () => number, isBroken: () => boolean) => {
  const through = (idle: boolean) => {
    foreign("idleWhen's codec")
    return idle
  }
  const success = Schema.Boolean.pipe(
    Schema.decodeTo(Schema.Boolean, SchemaTransformation.transform({ decode: through, encode: through }))
  )
  return Flame.fn("idle", { success }, () => {
    foreign("idleWhen")
    if (!isBroken()) return Effect.succeed(true)
    const answers = [Effect.succeed(true), Effect.succeed(false), Effect.die(new Thrown("idleWhen")), Effect.never]
    return answers[Math.floor(random() * answers.length)]!
  })
}
