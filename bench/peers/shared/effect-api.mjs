// The functions as an RpcGroup, for the peers of Effect RPC.
import { Effect, Schema, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { Transferable } from "effect/workers"
import { blob, item, prepare, timedSpin } from "../../work/work.mjs"

const Size = { size: Schema.Number }
const Spun = Schema.Struct({ x: Schema.Number, ms: Schema.Number })
export const Item = Schema.Struct({ id: Schema.Number, text: Schema.String })
export const Record = Schema.Struct({ name: Schema.String, data: Schema.Uint8Array })

export const rpcs = {
  echo: Rpc.make("echo", { payload: Item.fields, success: Item }),
  blob: Rpc.make("blob", { payload: Size, success: Schema.Uint8Array }),
  blobTransfer: Rpc.make("blobTransfer", { payload: Size, success: Transferable.Uint8Array }),
  record: Rpc.make("record", { payload: Size, success: Record }),
  sink: Rpc.make("sink", { payload: { data: Schema.Uint8Array }, success: Schema.Number }),
  prepare: Rpc.make("prepare", { payload: Size, success: Schema.Number }),
  spin: Rpc.make("spin", { payload: { iters: Schema.Number }, success: Spun }),
  hang: Rpc.make("hang", { success: Schema.Number }),
  pid: Rpc.make("pid", { success: Schema.Number }),
  exit: Rpc.make("exit", { success: Schema.Number }),
  chunks: Rpc.make("chunks", {
    payload: { n: Schema.Number, size: Schema.Number },
    success: Schema.Uint8Array,
    stream: true
  }),
  items: Rpc.make("items", { payload: { n: Schema.Number }, success: Item, stream: true })
}
export class WorkRpcs extends RpcGroup.make(...Object.values(rpcs)) {}

export const itemStream = ({ n }) => Stream.range(0, n - 1).pipe(Stream.map(item))
export const handlers = {
  echo: ({ id, text }) => Effect.succeed({ id, text }),
  blob: ({ size }) => Effect.sync(() => blob(size)),
  blobTransfer: ({ size }) => Effect.sync(() => new Uint8Array(size).fill(7)),
  record: ({ size }) => Effect.sync(() => ({ name: "record", data: blob(size) })),
  sink: ({ data }) => Effect.succeed(data.byteLength),
  prepare: ({ size }) => Effect.sync(() => prepare(size)),
  spin: ({ iters }) => Effect.sync(() => timedSpin(iters)),
  hang: () => Effect.never,
  pid: () => Effect.sync(() => process.pid),
  exit: () => Effect.sync(() => process.exit(7)),
  // One item at a time: a chunk of Effect's Stream would become one message of many MiB.
  chunks: ({ n, size }) =>
    Stream.range(0, n - 1).pipe(
      Stream.rechunk(1),
      Stream.map(() => blob(size))
    ),
  items: itemStream
}

/** The functions of one client, in the form that effect-loops.mjs takes. */
export const ofClient = (client) => ({
  echo: (a) => client.echo(a),
  blob: (a) => client.blob(a),
  record: (a) => client.record(a),
  sink: (data) => client.sink({ data }),
  prepare: (size) => client.prepare({ size }),
  spin: (a) => client.spin(a),
  hang: () => client.hang(),
  chunks: (n, size) => client.chunks({ n, size }),
  items: (n) => client.items({ n })
})
