/** Checks the types that calls infer, and the mistakes that must not compile. Nothing here runs: `tsc` is the test. */
import { Context, Effect, Layer, Schema, type Scope, Stream } from "effect"
import { Rpc, RpcGroup, RpcMiddleware } from "effect/rpc"
import { NodeRuntime } from "@effect/platform-node"
import { Flame, type FlameError, FlameLayer, FlameRunner, Pool, Runner } from "../../src/index.ts"
import type { AnyImplemented, FlameFunction, Implemented } from "../../src/function/FlameFunction.ts"

/** Holds only if both types are the same, `any` included. */
// oxlint-disable typescript/no-unnecessary-type-parameters -- an unresolved T is what makes tsc compare A and B themselves
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(..._proof: Same<A, B> extends true ? [] : ["the types differ", A, B]): void => {}

type FlameFailure = FlameError.FlameError

class Ffmpeg extends Context.Service<Ffmpeg, { run: (v: string) => Effect.Effect<Uint8Array> }>()("Ffmpeg") {
  static layer = Layer.succeed(Ffmpeg, { run: () => Effect.succeed(new Uint8Array()) })
}
class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}
class TooBig extends Schema.TaggedError<TooBig>()("TooBig", { max: Schema.Int }) {}

const thumb = Flame.fn(
  "thumb",
  { payload: { video: Schema.String }, success: Schema.Uint8Array, error: TooBig },
  Effect.fnUntraced(function* ({ video }) {
    return yield* (yield* Ffmpeg).run(video)
  })
)
const train = Flame.fn("train", { payload: { n: Schema.Int }, success: Schema.Int, pool: Gpu }, ({ n }) =>
  Effect.succeed(n)
)
const ping = Flame.fn("ping", { success: Schema.String }, () => Effect.succeed("pong"))

// A function has its own type.
same<
  typeof thumb,
  FlameFunction<"thumb", Schema.Struct<{ video: Schema.String }>, Schema.Uint8Array, typeof TooBig, Pool> &
    Implemented<Ffmpeg>
>()
same<typeof ping, FlameFunction<"ping", Schema.Void, Schema.String, Schema.Never, Pool> & Implemented<never>>()

// A call returns the function's value, and requires the pool that the function names.
same<ReturnType<typeof callTrain>, Effect.Effect<number, FlameFailure, Gpu>>()
const callTrain = () => Flame.call(train, { n: 1 })
same<ReturnType<typeof callTrainElsewhere>, Effect.Effect<number, FlameFailure, Pool>>()
const callTrainElsewhere = () => Flame.call(train, { n: 1 }, { pool: Pool })
same<ReturnType<typeof callThumb>, Effect.Effect<Uint8Array, TooBig | FlameFailure, Pool>>()
const callThumb = () => Flame.call(thumb, { video: "x" })
same<ReturnType<typeof callPing>, Effect.Effect<string, FlameFailure, Pool>>()
const callPing = () => Flame.call(ping)
same<ReturnType<typeof callLonger>, Effect.Effect<number, FlameFailure, Gpu>>()
const callLonger = () => Flame.call(train, { n: 1 }, { timeout: "1 second" })
same<ReturnType<typeof callBoth>, Effect.Effect<string, FlameFailure, Gpu>>()
const callBoth = () => Flame.call(ping, undefined, { pool: Gpu, timeout: "1 second" })
// A cast has no result and no error of the function.
same<ReturnType<typeof castThumb>, Effect.Effect<void, FlameFailure, Pool>>()
const castThumb = () => Flame.cast(thumb, { video: "x" })
same<ReturnType<typeof castTrain>, Effect.Effect<void, FlameFailure, Gpu>>()
const castTrain = () => Flame.cast(train, { n: 1 })

// @ts-expect-error pools are distinct
export const wrongPool: Effect.Effect<number, FlameFailure, Pool> = Flame.call(train, { n: 1 })
// @ts-expect-error a pool is needed
export const noPool: Effect.Effect<string, FlameFailure> = Flame.call(ping)
// @ts-expect-error a pool is needed
void Effect.runPromise(Flame.call(ping))
// @ts-expect-error an option that does not exist
Flame.call(ping, undefined, { timeot: "1 second" })
// @ts-expect-error an option that does not exist
Flame.cast(ping, undefined, { timeot: "1 second" })
// @ts-expect-error the payload is missing
Flame.call(train)
// @ts-expect-error the payload is wrong
Flame.call(train, { n: "1" })
// @ts-expect-error a field that does not exist
Flame.call(train, { n: 1, m: 2 })
// @ts-expect-error there is no payload to give
Flame.call(ping, { n: 1 })
// @ts-expect-error a service that is no pool
Flame.call(ping, undefined, { pool: Ffmpeg })
// @ts-expect-error a service that is no pool
Flame.contract("nowhere", { pool: Ffmpeg })
// @ts-expect-error the implementation gives something else
Flame.fn("liar", { success: Schema.Int }, () => Effect.succeed("1"))
// @ts-expect-error the implementation fails with something else
Flame.fn("failing", { success: Schema.Int }, () => Effect.fail("no"))

// Streams: called by Flame.stream, otherwise like calls.
const counted = Flame.fn(
  "counted",
  { payload: { to: Schema.Int }, success: Schema.Int, error: TooBig, pool: Gpu, stream: true },
  ({ to }) =>
    Stream.range(1, to).pipe(
      Stream.mapEffect((n) =>
        Effect.as(
          Ffmpeg.use((_) => _.run("x")),
          n
        )
      )
    )
)
same<(typeof counted)["~R"], Ffmpeg>()
const unfolded = Flame.fn("unfolded", { success: Schema.Int, stream: true }, () =>
  Effect.map(
    Ffmpeg.use((_) => _.run("x")),
    () => Stream.make(1, 2)
  )
)
same<(typeof unfolded)["~R"], Ffmpeg>()
const items = Flame.stream(counted, { to: 3 })
same<typeof items, Stream.Stream<number, TooBig | FlameFailure, Gpu>>()
const itemsElsewhere = Flame.stream(counted, { to: 3 }, { pool: Pool, timeout: "1 minute" })
same<typeof itemsElsewhere, Stream.Stream<number, TooBig | FlameFailure, Pool>>()
const streamContract = Flame.contract("streaming", { success: Schema.String, stream: true })
const streamed = Flame.implement(streamContract, () => Stream.make("a"))
same<(typeof streamed)["~R"], never>()
const texts = Flame.stream(streamed)
same<typeof texts, Stream.Stream<string, FlameFailure, Pool>>()
// @ts-expect-error a stream is no call
Flame.call(counted, { to: 3 })
// @ts-expect-error a stream cannot be cast
Flame.cast(counted, { to: 3 })
// @ts-expect-error one value is no stream
Flame.stream(train, { n: 1 })
// @ts-expect-error the payload is missing
Flame.stream(counted)
// @ts-expect-error the items are something else
Flame.fn("odd", { success: Schema.Int, stream: true }, () => Stream.make("1"))
// @ts-expect-error a streaming function gives a stream
Flame.fn("odd", { success: Schema.Int, stream: true }, () => Effect.succeed(1))
// @ts-expect-error a function gives a value
Flame.fn("odd", { success: Schema.Int }, () => Stream.make(1))
// @ts-expect-error the code of a stream fails with something else
Flame.implement(streamContract, () => Stream.fail("no"))

// A contract and its implementation together are the same function.
const contract = Flame.contract("apart", { payload: Schema.String, success: Schema.Int, error: TooBig })
same<typeof contract, FlameFunction<"apart", Schema.String, Schema.Int, typeof TooBig, Pool>>()
const apart = Flame.implement(contract, (text) =>
  Effect.map(
    Ffmpeg.use((_) => _.run(text)),
    (bytes) => bytes.length
  )
)
same<typeof apart, typeof contract & Implemented<Ffmpeg>>()
// @ts-expect-error the implementation takes something else
Flame.implement(contract, (text: number) => Effect.succeed(text))
// @ts-expect-error a contract cannot be served
FlameRunner.serve([contract])

// A nested function that calls functions of two pools requires neither pool nor Ffmpeg on the runner.
const nested = Flame.fn("nested", { success: Schema.Int, error: Schema.Never }, () =>
  Effect.gen(function* () {
    yield* Flame.call(thumb, { video: "x" }).pipe(Effect.orDie)
    return yield* Flame.call(train, { n: 1 }).pipe(Effect.orDie)
  })
)
export const nestedNeedsNothing: Implemented<never> = nested

// Scope and Runner are provided on every runner.
const scoped = Flame.fn("scoped", {}, () =>
  Effect.gen(function* () {
    yield* Effect.addFinalizer(() => Effect.void)
    yield* Effect.log((yield* FlameRunner.Current).id)
  })
)
export const scopedNeedsNothing: Implemented<never> = scoped
export const asTheEngineSeesIt: AnyImplemented = thumb

const app = Effect.andThen(callTrain(), callThumb())
const flame = Layer.provideMerge(Gpu.layer({ max: 1 }), FlameLayer.local())
const program = Flame.main({ functions: [thumb, train, nested, ping], services: Ffmpeg.layer, app, flame })
export const complete: Effect.Effect<void, FlameFailure | TooBig> = program
program.pipe(NodeRuntime.runMain)
program.pipe(Flame.runMain)

// Without the Gpu pool the program cannot run.
const lacking = Flame.main({ functions: [train], app: callTrain(), flame: FlameLayer.local() })
same<typeof lacking, Effect.Effect<void, FlameFailure, Gpu>>()
// @ts-expect-error Gpu is missing
NodeRuntime.runMain(lacking)
// @ts-expect-error Gpu is missing
Flame.runMain(lacking)
// @ts-expect-error services are missing
Flame.main({ functions: [thumb], app: callThumb(), flame })
// @ts-expect-error services of one of several functions are missing
Flame.main({ functions: [ping, thumb], app: callThumb(), flame })
// @ts-expect-error services are other ones
Flame.main({ functions: [thumb], services: Layer.succeed(Dict, {}), app: callThumb(), flame })
Flame.main({ functions: [ping], app: callPing(), flame })

// [C231] Functions of one pool bring their own services. The program must provide what these services require.
const ofGpu = Flame.forPool(Gpu, { functions: [thumb, train], services: Ffmpeg.layer })
export const bothPools: Effect.Effect<void, FlameFailure | TooBig> = Flame.main({
  functions: [ping, ofGpu],
  app,
  flame
})
// @ts-expect-error services are missing
Flame.forPool(Gpu, { functions: [thumb] })
declare const needy: Layer.Layer<Ffmpeg, never, Dict>
// @ts-expect-error what the services themselves need is missing
Flame.main({ functions: [ping, Flame.forPool(Gpu, { functions: [thumb], services: needy })], app, flame })

// Services of schemas are kept: the caller decodes the success value, and the runner encodes it.
class Dict extends Context.Service<Dict, {}>()("Dict") {}
class Key extends Context.Service<Key, {}>()("Key") {}
declare const Coded: Schema.Codec<string, string, Dict, Key>
const coded = Flame.fn("coded", { success: Coded }, () => Effect.succeed("x"))
same<typeof coded, FlameFunction<"coded", Schema.Void, typeof Coded, Schema.Never, Pool> & Implemented<Key>>()
same<ReturnType<typeof callCoded>, Effect.Effect<string, FlameFailure, Pool | Dict>>()
const callCoded = () => Flame.call(coded)
// @ts-expect-error Dict is missing on the parent
export const noDict: Effect.Effect<string, FlameFailure, Pool> = Flame.call(coded)
// The caller encodes the payload, and the runner decodes it.
const codedPayload = Flame.fn("codedPayload", { payload: { word: Coded } }, () => Effect.void)
export const needsDict: Implemented<Dict> = codedPayload
same<ReturnType<typeof callCodedPayload>, Effect.Effect<void, FlameFailure, Pool | Key>>()
const callCodedPayload = () => Flame.call(codedPayload, { word: "x" })

// A payload has the type of the schema's constructor: defaults may be left out, and plain objects may replace classes.
class Item extends Schema.Class<Item>("Item")({
  id: Schema.Int,
  tags: Schema.Array(Schema.String).pipe(Schema.withConstructorDefault(Effect.succeed([])))
}) {}
const store = Flame.fn("store", { payload: { item: Item } }, ({ item }) => {
  same<typeof item, Item>()
  return Effect.void
})
Flame.call(store, { item: { id: 1, tags: [] } })
Flame.call(store, { item: new Item({ id: 1 }) })
const storeItem = Flame.fn("storeItem", { payload: Item }, () => Effect.void)
same<typeof storeItem, FlameFunction<"storeItem", typeof Item, Schema.Void, Schema.Never, Pool> & Implemented<never>>()
Flame.call(storeItem, { id: 1 })

// Errors are caught by their tags and reasons.
same<ReturnType<typeof whenFull>, Effect.Effect<Uint8Array | "full", TooBig | FlameFailure, Pool>>()
const whenFull = () =>
  Flame.call(thumb, { video: "x" }).pipe(
    Effect.catchReason("FlameError", "QueueFull", () => Effect.succeed("full" as const))
  )
same<ReturnType<typeof whenTooBig>, Effect.Effect<Uint8Array | number, FlameFailure, Pool>>()
const whenTooBig = () =>
  Flame.call(thumb, { video: "x" }).pipe(Effect.catchTag("TooBig", ({ max }) => Effect.succeed(max)))
Flame.call(thumb, { video: "x" }).pipe(Effect.retry({ times: 2, while: Flame.isRetryable }))
// [C226] An error that is not retryable may still be a FlameError.
same<ReturnType<typeof unlessRetryable>, Effect.Effect<number | string, FlameFailure, Pool>>()
const unlessRetryable = () => Flame.call(ping).pipe(Effect.catchIf(Flame.isRetryable, () => Effect.succeed(-1)))
// @ts-expect-error a reason that does not exist
Flame.call(ping).pipe(Effect.catchReason("FlameError", "QueueFul", () => Effect.void))

// The members of a pool, and its runner.
same<ReturnType<typeof onOneRunner>, Effect.Effect<number, FlameFailure, Gpu>>()
const onOneRunner = () => Gpu.withRunner(Effect.andThen(Runner, Flame.call(train, { n: 1 })))

// A group has the client of Effect, with FlameError beside each procedure's own errors.
class Tenant extends Context.Service<Tenant, { readonly id: string }>()("Tenant") {}
class Door extends RpcMiddleware.Service<Door, { provides: Tenant }>()("Door", {
  error: TooBig,
  requiredForClient: true
}) {}
const Adding = RpcGroup.make(Rpc.make("add", { payload: { by: Schema.Int }, success: Schema.Int }))
class Guarded extends RpcGroup.make(
  Rpc.make("enter", { success: Schema.String }).middleware(Door),
  Rpc.make("tail", { success: Schema.Int, error: TooBig, stream: true })
) {}
const add = () => Effect.flatMap(Flame.client(Adding), (_) => _.add({ by: 1 }))
same<ReturnType<typeof add>, Effect.Effect<number, FlameFailure, Pool>>()
const addOnGpu = () => Effect.flatMap(Flame.client(Adding, { pool: Gpu }), (_) => _.add({ by: 1 }))
same<ReturnType<typeof addOnGpu>, Effect.Effect<number, FlameFailure, Gpu>>()
const enter = () => Effect.flatMap(Flame.client(Guarded), (_) => _.enter())
same<ReturnType<typeof enter>, Effect.Effect<string, TooBig | FlameFailure, Pool | RpcMiddleware.ForClient<Door>>>()
const tail = () => Effect.map(Flame.client(Guarded), (_) => _.tail())
same<Effect.Success<ReturnType<typeof tail>>, Stream.Stream<number, TooBig | FlameFailure>>()

// A program that serves the group provides its handlers and its middleware.
const adding = Adding.toLayer({ add: ({ by }) => Effect.succeed(by) })
const guarded = Guarded.toLayer({ enter: () => Effect.map(Tenant, ({ id }) => id), tail: () => Stream.make(1) })
const door = Layer.succeed(Door, (code) => Effect.provideService(code, Tenant, { id: "1" }))
same<
  ReturnType<typeof serveBoth>,
  Effect.Effect<void, FlameFailure, Ffmpeg | Rpc.Handler<"enter"> | Rpc.Handler<"tail"> | Door>
>()
const serveBoth = () => FlameRunner.serve([thumb, Guarded])
same<ReturnType<typeof serveOne>, Effect.Effect<void, FlameFailure, Rpc.Handler<"add">>>()
const serveOne = () => FlameRunner.serve(Adding)
export const served: Effect.Effect<void, FlameFailure> = FlameRunner.serve([Adding, Guarded]).pipe(
  Effect.provide([adding, guarded, door])
)
export const mainOfBoth: Effect.Effect<void, FlameFailure | TooBig> = Flame.main({
  functions: [ping, Adding, Guarded],
  services: Layer.mergeAll(adding, guarded, door),
  app: Effect.provide(
    enter(),
    RpcMiddleware.layerClient(Door, ({ next, request }) => next(request))
  ),
  flame: FlameLayer.local()
})
// @ts-expect-error the handlers are missing
void Flame.main({ functions: [Adding], app: add(), flame: FlameLayer.local() })
// @ts-expect-error the middleware is missing
void Flame.main({ functions: [Guarded], services: guarded, app: enter(), flame: FlameLayer.local() })
export const tested: Layer.Layer<Pool, FlameFailure> = FlameLayer.test([Adding]).pipe(Layer.provide(adding))
// @ts-expect-error the handlers are missing
export const untested: Layer.Layer<Pool, FlameFailure> = FlameLayer.test([Adding])
// @ts-expect-error the middleware of the client's side is missing
export const unguarded: Effect.Effect<string, TooBig | FlameFailure, Pool> = enter()

// A placed service has the client of its group, and its requirements are known.
class Db extends Context.Service<Db, { readonly size: number }>()("Db") {}
const library = Flame.service(
  "store",
  { group: Adding, payload: { path: Schema.String }, error: TooBig, offers: Guarded, pool: Gpu },
  (_, { owner }) =>
    Adding.toLayer(
      Effect.map(Db, ({ size }) => ({
        add: ({ by }) => Effect.as(Effect.orDie(owner.enter()), by + size)
      }))
    )
)
const plainStore = Flame.service("plain", { group: Adding }, () => adding)
same<ReturnType<typeof serveStore>, Effect.Effect<void, FlameFailure, Db | RpcMiddleware.ForClient<Door>>>()
const serveStore = () => FlameRunner.serve([library, plainStore])
same<
  Effect.Services<ReturnType<typeof placeStore>>,
  Gpu | Scope.Scope | Rpc.Handler<"enter"> | Rpc.Handler<"tail"> | Door
>()
same<Effect.Error<ReturnType<typeof placeStore>>, TooBig | FlameFailure>()
const placeStore = () => Flame.place(library, { path: "x" })
same<Effect.Services<ReturnType<typeof placePlain>>, Pool | Scope.Scope>()
same<Effect.Error<ReturnType<typeof placePlain>>, FlameFailure>()
const placePlain = () => Flame.place(plainStore)
const addToStore = () => Effect.flatMap(placePlain(), (client) => client.add({ by: 1 }))
same<ReturnType<typeof addToStore>, Effect.Effect<number, FlameFailure, Pool | Scope.Scope>>()
const declared = Flame.service("declared", { group: Adding, payload: { n: Schema.Int } })
const given = Flame.implementService(declared, ({ n }) => Adding.toLayer({ add: ({ by }) => Effect.succeed(n + by) }))
void FlameRunner.serve([given])
// @ts-expect-error a service without its code cannot be served
void FlameRunner.serve([declared])
// @ts-expect-error the payload is missing
void Flame.place(library)
// @ts-expect-error handlers of another group
void Flame.service("wrong", { group: Adding }, () => guarded)
