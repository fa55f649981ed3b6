/** Tests that handlers of groups run in the right context. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { Flame, FlameLayer } from "../../src/index.ts"

const Tenant = Context.Reference<string>("test/GroupServer/Tenant", { defaultValue: () => "nobody" })
Flame.propagate(Tenant, Schema.String)

class Tenants extends RpcGroup.make(Rpc.make("tenant", { success: Schema.String })) {}

const handlers = Tenants.toLayer({ tenant: () => Effect.map(Effect.service(Tenant), (tenant) => tenant) }).pipe(
  Layer.provide(Layer.succeed(Tenant, "of the handler"))
)

it.effect("a handler keeps the service it was built with after a call that brought another value of it [C129]", () =>
  Effect.gen(function* () {
    const client = yield* Flame.client(Tenants)
    const seen = [
      yield* Effect.provideService(client.tenant(), Tenant, "of the call"),
      yield* client.tenant(),
      yield* Effect.provideService(client.tenant(), Tenant, "of the handler"),
      yield* client.tenant()
    ]
    assert.deepStrictEqual(seen, ["of the call", "of the handler", "of the handler", "of the handler"])
  }).pipe(Effect.scoped, Effect.provide(FlameLayer.test([Tenants]).pipe(Layer.provide(handlers))))
)
