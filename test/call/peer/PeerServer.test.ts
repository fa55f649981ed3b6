import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { PeerServer } from "../../../src/call/peer/PeerServer.ts"
import { maxOpenBytes } from "../../../src/call/peer/PeerWire.ts"
import * as GroupFunctions from "../../../src/function/GroupFunctions.ts"
import { Flame, FlameLayer } from "../../../src/index.ts"
import { encodeHead } from "../../../src/wire/Request.ts"

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

it.effect("open requests of a placed service count with their heads, whatever their payload [C248]", () =>
  Effect.gen(function* () {
    const group = RpcGroup.make(Rpc.make("wait", { success: Schema.String }))
    const context = yield* Layer.build(group.toLayerHandler("wait", () => Effect.never))
    const later: Array<() => void> = []
    const channel = { send: () => true, sent: 0, unsent: 0, later: (f: () => void) => later.push(f) }
    const server = new PeerServer(GroupFunctions.of(group), context, channel as never, 1e6)
    const request = Buffer.from(encodeHead(0, undefined, undefined, { annotations: { note: "x".repeat(8_000) } }))
    let taken = 0
    while (server.request(taken + 1, request, false) === undefined) taken++
    assert.isBelow(taken, 1_000)
    assert.isAtMost(taken * request.length, maxOpenBytes + request.length)
    server.interrupt()
    yield* server.idle
  })
)
