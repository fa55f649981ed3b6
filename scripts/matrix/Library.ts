/** A module of an app that exports values of inferred types. */
export const library = `
  import * as Effect from "effect/Effect"
  import * as Schema from "effect/Schema"
  import * as Layer from "effect/Layer"
  import * as Stream from "effect/Stream"
  import { Rpc, RpcGroup } from "effect/rpc"
  import { Flame, FlameLayer, FlameRunner, Pool, Runner } from "effect-flame"

  export class Odd extends Schema.TaggedError<Odd>()("Odd", { n: Schema.Int }) {}
  export class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}

  const contract = { payload: { n: Schema.Int }, success: Schema.Int, error: Odd }
  export const half = Flame.fn("half", contract, ({ n }) => n % 2 ? Effect.fail(new Odd({ n })) : Effect.succeed(n / 2))
  export const twice = Flame.contract("twice", { payload: { n: Schema.Int }, success: Schema.Int, pool: Gpu })
  export const twiceLive = Flame.implement(twice, ({ n }) => Effect.succeed(n * 2))
  export const calls = (n: number) => Effect.all([Flame.call(half, { n }), Flame.call(twice, { n })])
  export const accepted = Flame.cast(half, { n: 2 })
  export const leased = Pool.withRunner(Flame.call(half, { n: 2 }))
  export const leasedElsewhere = Gpu.withRunner(Flame.call(twice, { n: 2 }))
  export const here = FlameRunner.Current
  export const status = Effect.flatMap(Pool, (pool) => pool.status)
  export const flame = FlameLayer.auto()
  export const local = FlameLayer.local()
  export const gpu = Gpu.layer({ max: 2 })
  export const inMemory = FlameLayer.test([half, twiceLive])
  export const main = Flame.main({ functions: [half, twiceLive], app: calls(2), flame: FlameLayer.auto() })
  export const serve = FlameRunner.serve([half, twiceLive])
  export class Words extends RpcGroup.make(Rpc.make("add", { payload: { text: Schema.String } })) {}
  export const count = Flame.fn("count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }, ({ to }) => Stream.range(0, to))
  export const items = Flame.stream(count, { to: 1 })
  export const words = Flame.service("words", { group: Words, payload: { path: Schema.String } })
  export const wordsLive = Flame.implementService(words, () => Words.toLayer({ add: () => Effect.void }))
  export const placed = Flame.place(words, { path: "x" })
  export const client = Flame.client(Words)
  export const events = Stream.unwrap(Effect.map(Pool, (pool) => pool.events))
  export const ofGpu = Flame.forPool(Gpu, { functions: [twiceLive, wordsLive] })
  export const stub = Flame.stub(twice, ({ n }) => Effect.succeed(n))
  export const mocked = FlameLayer.mock([stub, wordsLive, count])
  export const role = Flame.role
  export const currentRole = Flame.CurrentRole
  export const where = Effect.map(Runner, ({ labels }) => labels)
  export const both = Gpu.layer({ max: 1 }).pipe(Layer.provideMerge(FlameLayer.auto()))
  export const handled = Flame.call(half, { n: 1 }).pipe(
    Effect.catchReason("FlameError", "QueueFull", () => Effect.succeed(1))
  )
`
