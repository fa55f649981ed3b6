/** The services of the suite, and functions beside them. The runners of a backend under test serve these. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Flame from "../../../src/Flame.ts"
import * as FlameRunner from "../../../src/FlameRunner.ts"

export class Unbuildable extends Schema.TaggedError<Unbuildable>()("place/Unbuildable", { why: Schema.String }) {}
export class TooMuch extends Schema.TaggedError<TooMuch>()("place/TooMuch", { max: Schema.Int }) {}

/** The procedures by which a counter calls its owner. */
export class Owner extends RpcGroup.make(
  Rpc.make("double", { payload: { n: Schema.Int }, success: Schema.Int, error: TooMuch }),
  Rpc.make("down", { payload: { from: Schema.Int }, success: Schema.Int, stream: true })
) {}

export class Counting extends RpcGroup.make(
  Rpc.make("add", { payload: { n: Schema.Int }, success: Schema.Int, error: TooMuch }),
  Rpc.make("where", { success: Schema.String }),
  Rpc.make("remaining", { success: Schema.Boolean }),
  Rpc.make("dies"),
  Rpc.make("hold", { payload: { name: Schema.String } }),
  Rpc.make("echo", { payload: Schema.Uint8Array, success: Schema.Uint8Array }),
  Rpc.make("headers", { success: Schema.Record(Schema.String, Schema.String) }),
  Rpc.make("count", { payload: { to: Schema.Int }, success: Schema.Int, error: TooMuch, stream: true }),
  Rpc.make("pour", { payload: { size: Schema.Int }, success: Schema.Uint8Array, stream: true }),
  Rpc.make("trickle", { payload: { name: Schema.String }, success: Schema.Int, stream: true }),
  Rpc.make("askOwner", { payload: { n: Schema.Int }, success: Schema.Int, error: TooMuch }),
  Rpc.make("sumOfOwner", { payload: { from: Schema.Int }, success: Schema.Int }),
  Rpc.make("nested", { success: Schema.Int }),
  Rpc.make("end"),
  Rpc.make("endAndHold", { payload: { name: Schema.String } }),
  Rpc.make("kill")
) {}

// The journal of this process: of a runner, or of the test itself if runners are in memory. Names are unique.
const journal: Array<string> = []
const note = (line: string) => Effect.sync(() => void journal.push(line))

export const noted = Flame.fn(
  "place/noted",
  { payload: { line: Schema.String }, success: Schema.Boolean },
  ({ line }) => Effect.sync(() => journal.includes(line))
)

/** A plain function to call beside a service. It takes that many milliseconds. */
export const five = Flame.fn("place/five", { payload: { after: Schema.Int }, success: Schema.Int }, ({ after }) =>
  Effect.as(after === 0 ? Effect.void : Effect.sleep(after), 5)
)

/** A service that counts from a number. Its finalizers take a while, and write a line into the journal. */
export const counter = Flame.service(
  "place/counter",
  {
    group: Counting,
    payload: { name: Schema.String, from: Schema.Int, how: Schema.Literals(["well", "fails", "dies", "never"]) },
    error: Unbuildable,
    offers: Owner
  },
  ({ from, how, name }, { die, draining, end, owner }) =>
    Counting.toLayer(
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.andThen(Effect.sleep(20), note(`${name} is gone`)))
        if (how === "fails") return yield* new Unbuildable({ why: name })
        if (how === "dies") return yield* Effect.die(new RangeError(name))
        if (how === "never") {
          yield* note(`${name} is being built`)
          return yield* Effect.never
        }
        yield* Effect.forkScoped(
          Effect.andThen(draining, Effect.andThen(note(`${name} drains`), name.includes("leaves") ? end : Effect.void))
        )
        if (name.includes("asks")) yield* Effect.orDie(owner.double({ n: 1 }))
        const count = yield* Ref.make(from)
        return Counting.of({
          add: ({ n }) => (n > 100 ? Effect.fail(new TooMuch({ max: 100 })) : Ref.updateAndGet(count, (_) => _ + n)),
          where: () => Effect.map(FlameRunner.Current, ({ id }) => id),
          remaining: () => Effect.map(FlameRunner.Current, ({ remaining }) => remaining === undefined),
          dies: () => Effect.die(new RangeError("of one request")),
          hold: ({ name }) =>
            note(`${name} runs`).pipe(
              Effect.andThen(Effect.never),
              Effect.ensuring(Effect.andThen(Effect.sleep(20), note(`${name} is cleaned up`)))
            ),
          echo: (bytes) => Effect.succeed(bytes),
          headers: (_, { headers }) => Effect.succeed({ ...headers }),
          count: ({ to }) =>
            to < 0
              ? Stream.concat(Stream.range(1, -to), Stream.fail(new TooMuch({ max: -to })))
              : to === 0
                ? Stream.empty
                : Stream.range(1, to),
          pour: ({ size }) => Stream.forever(Stream.sync(() => new Uint8Array(size))),
          trickle: ({ name }) =>
            Stream.concat(Stream.make(1), Stream.never).pipe(Stream.ensuring(note(`${name} is cleaned up`))),
          askOwner: ({ n }) => owner.double({ n }).pipe(Effect.catchTag("FlameError", Effect.die)),
          sumOfOwner: ({ from }) =>
            Effect.orDie(
              Stream.runFold(
                owner.down({ from }),
                () => 0,
                (sum: number, n) => sum + n
              )
            ),
          nested: () => Effect.orDie(Flame.call(five, { after: 0 })),
          end: () => end,
          endAndHold: ({ name }) => Effect.ensuring(Effect.andThen(end, Effect.never), note(`${name} is cleaned up`)),
          kill: () => die(new RangeError("of all of it"))
        })
      })
    )
)

/** The handlers of the owner. */
export const OwnerLive = Owner.toLayer({
  double: ({ n }) => (n > 100 ? Effect.fail(new TooMuch({ max: 100 })) : Effect.succeed(2 * n)),
  down: ({ from }) => Stream.fromIterable(Array.from({ length: from }, (_, i) => from - i))
})

export const placeFunctions = [counter, noted, five] as const

/** The services need no further services. */
export const Needed = Layer.empty
