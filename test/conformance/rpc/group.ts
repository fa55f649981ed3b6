/** A group as an app would declare it, without Flame, with its handlers and middleware. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Stream from "effect/Stream"
import * as Headers from "effect/http/Headers"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcMiddleware from "effect/rpc/RpcMiddleware"

export class TooBig extends Schema.TaggedError<TooBig>()("rpc/TooBig", { max: Schema.Int, when: Schema.Date }) {}
export class Denied extends Schema.TaggedError<Denied>()("rpc/Denied", { name: Schema.String }) {}
export class Point extends Schema.Class<Point>("rpc/Point")({ x: Schema.Number, label: Schema.String }) {}

/** A defect with a schema of its own. */
export class Broken extends Schema.Class<Broken>("rpc/Broken")({ part: Schema.String }) {}

/** The user of a request, as the middleware determined. */
export class User extends Context.Service<User, { readonly name: string }>()("rpc/User") {}

export class Auth extends RpcMiddleware.Service<Auth, { provides: User }>()("rpc/Auth", {
  error: Denied,
  requiredForClient: true
}) {}

/** A service that a codec needs on both sides. */
export class Offset extends Context.Service<Offset, { readonly by: number }>()("rpc/Offset") {
  static readonly layer = Layer.succeed(Offset, { by: 100 })
}
const Moved = Schema.Number.pipe(
  Schema.decodeTo(
    Schema.Number,
    SchemaTransformation.transformEffect({
      decode: (n: number) => Effect.map(Offset, ({ by }) => n - by),
      encode: (n: number) => Effect.map(Offset, ({ by }) => n + by)
    })
  )
)

export class Things extends RpcGroup.make(
  Rpc.make("add", { payload: { a: Schema.Int, b: Schema.Int }, success: Schema.Int }),
  Rpc.make("nothing"),
  Rpc.make("point", { payload: Point, success: Point }),
  Rpc.make("limited", { payload: { n: Schema.Int }, success: Schema.Int, error: TooBig }),
  Rpc.make("dies", { payload: { how: Schema.String } }),
  Rpc.make("breaks", { defect: Broken as never }),
  Rpc.make("headers", { success: Schema.Record(Schema.String, Schema.String) }),
  Rpc.make("moved", { payload: { n: Moved }, success: Moved }),
  Rpc.make("bytes", { payload: Schema.Uint8Array, success: Schema.Uint8Array }),
  Rpc.make("echoed", { payload: { text: Schema.String }, success: Schema.String }),
  Rpc.make("hold", { payload: { name: Schema.String, cleanup: Schema.Int } }),
  Rpc.make("firm", { payload: { name: Schema.String, millis: Schema.Int } }),
  Rpc.make("forked", { payload: { n: Schema.Int }, success: Schema.Int }),
  Rpc.make("later", { payload: { n: Schema.Int }, success: Schema.Int, error: TooBig }),
  Rpc.make("keyed", { payload: { id: Schema.String }, success: Schema.Int, primaryKey: ({ id }) => id }),
  Rpc.make("count", { payload: { to: Schema.Int }, success: Schema.Int, error: TooBig, stream: true }),
  Rpc.make("queued", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("pour", { payload: { name: Schema.String }, success: Schema.Uint8Array, stream: true }),
  Rpc.make("poured", { payload: { name: Schema.String }, success: Schema.Int }),
  Rpc.make("trickle", { payload: { name: Schema.String, first: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("noted", { payload: { line: Schema.String }, success: Schema.Int }),
  Rpc.make("who", { success: Schema.String }).middleware(Auth),
  Rpc.make("whose", { payload: { n: Schema.Int }, success: Schema.String, error: TooBig, stream: true }).middleware(
    Auth
  )
) {}

// The journal of this process: of a runner, or of the test itself if runners are in memory. Names are unique.
const journal: Array<string> = []
const made = new Map<string, number>()
const note = (line: string) => Effect.sync(() => void journal.push(line))
const upTo = (n: number) => (n < 1 ? Stream.empty : Stream.range(1, n))
const tooBig = (max: number) => new TooBig({ max, when: new Date(0) })

let keyed = 0

export const Handlers = Things.toLayer(
  Effect.gen(function* () {
    yield* Effect.addFinalizer(() => note("handlers are gone"))
    return Things.of({
      add: ({ a, b }) => Effect.succeed(a + b),
      nothing: () => Effect.void,
      point: ({ label, x }) => Effect.succeed(new Point({ x: x * 2, label })),
      limited: ({ n }) => (n > 10 ? Effect.fail(tooBig(10)) : Effect.succeed(n)),
      dies: ({ how }) => {
        if (how === "throw") throw new RangeError("thrown")
        return how === "interrupt" ? Effect.interrupt : Effect.die(new RangeError("died"))
      },
      breaks: () => Effect.die(new Broken({ part: "gear" })),
      headers: (_, { headers }) => Effect.succeed({ ...headers }),
      moved: ({ n }) => Effect.succeed(n),
      bytes: (bytes) => Effect.succeed(bytes.toReversed()),
      echoed: ({ text }) => Effect.succeed(text),
      hold: ({ cleanup, name }) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() => Effect.andThen(Effect.sleep(cleanup), note(`${name} is cleaned up`)))
            yield* note(`${name} runs`)
            return yield* Effect.never
          })
        ),
      firm: ({ millis, name }) =>
        Rpc.uninterruptible(
          note(`${name} runs`).pipe(Effect.andThen(Effect.sleep(millis)), Effect.andThen(note(`${name} is done`)))
        ),
      forked: ({ n }) => Rpc.fork(Effect.succeed(n + 1)),
      later: ({ n }) =>
        Effect.gen(function* () {
          const deferred = yield* Deferred.make<number, TooBig>()
          yield* Effect.forkDetach(
            Effect.andThen(
              Effect.sleep(5),
              n > 10 ? Deferred.fail(deferred, tooBig(10)) : Deferred.succeed(deferred, n)
            )
          )
          return deferred
        }),
      keyed: () => Effect.sync(() => ++keyed),
      count: ({ to }) => (to < 0 ? Stream.concat(upTo(-to), Stream.fail(tooBig(-to))) : upTo(to)),
      queued: ({ to }) =>
        Effect.gen(function* () {
          const queue = yield* Queue.bounded<number, never>(4)
          yield* Effect.forkScoped(
            Effect.andThen(
              Effect.forEach(
                Array.from({ length: to }, (_, i) => i + 1),
                (n) => Queue.offer(queue, n),
                { discard: true }
              ),
              Queue.end(queue as never)
            )
          )
          return queue
        }),
      pour: ({ name }) =>
        Stream.forever(
          Stream.sync(() => {
            made.set(name, (made.get(name) ?? 0) + 1)
            return new Uint8Array(10_000)
          })
        ),
      poured: ({ name }) => Effect.sync(() => made.get(name) ?? 0),
      trickle: ({ first, name }) =>
        upTo(first).pipe(
          Stream.concat(Stream.never),
          Stream.onStart(note(`${name} runs`)),
          Stream.ensuring(note(`${name} is cleaned up`))
        ),
      noted: ({ line }) => Effect.sync(() => journal.filter((one) => one === line).length),
      who: () => Effect.map(User, ({ name }) => name),
      whose: ({ n }) =>
        Stream.concat(
          Stream.fromEffect(Effect.map(User, ({ name }) => name)),
          n > 10 ? Stream.fail(tooBig(10)) : Stream.make("end")
        )
    })
  })
)

/** Accepts every request with a name. */
export const AuthLive = Layer.succeed(
  Auth,
  Auth.of((code, { headers }) => {
    const name = headers["x-name"] ?? ""
    return name === "" || name === "eve"
      ? Effect.fail(new Denied({ name }))
      : Effect.provideService(code, User, { name: `${name} of ${headers["x-house"] ?? "nowhere"}` })
  })
)

/** Adds a header to each request on the client's side. */
export const AuthClient = RpcMiddleware.layerClient(Auth, ({ next, request }) =>
  next({ ...request, headers: Headers.set(request.headers, "x-house", "lords") })
)

export const Served = Layer.mergeAll(Handlers, AuthLive, Offset.layer)
