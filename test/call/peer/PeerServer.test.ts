import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { Flame, FlameLayer } from "../../../src/index.ts"

class Name extends Context.Service<Name, { readonly is: string }>()("test/Name") {}

class Names extends RpcGroup.make(
  Rpc.make("one", { success: Schema.String }),
  Rpc.make("two", { success: Schema.String })
) {}

const named = (name: string) => Layer.succeed(Name, { is: name })
const told = () => Effect.map(Name, ({ is }) => is)

const names = Flame.service("names", { group: Names }, () =>
  Layer.merge(
    Names.toLayerHandler("one", told).pipe(Layer.provide(named("1"))),
    Names.toLayerHandler("two", told).pipe(Layer.provide(named("2")))
  )
)

it.effect("handlers of a placed service that were built with values of their own of one service keep them", () =>
  Effect.gen(function* () {
    const client = yield* Flame.place(names)
    assert.deepStrictEqual([yield* client.one(), yield* client.two()], ["1", "2"])
  }).pipe(Effect.scoped, Effect.provide(FlameLayer.test([names])))
)
