// The functions of the benchmark, for the wire prototype.
import { Schema } from "effect"
import { Item, Record } from "./effect-api.mjs"
import { fn } from "./wire/wire.ts"

const Size = Schema.Struct({ size: Schema.Number })
const Spun = Schema.Struct({ x: Schema.Number, ms: Schema.Number })
const contracts = {
  echo: [Item, Item],
  blob: [Size, Schema.Uint8Array],
  record: [Size, Record],
  sink: [Schema.Struct({ data: Schema.Uint8Array }), Schema.Number],
  prepare: [Size, Schema.Number],
  spin: [Schema.Struct({ iters: Schema.Number }), Spun],
  hang: [Schema.Struct({}), Schema.Number],
  items: [Schema.Struct({ n: Schema.Number }), Schema.Array(Item)]
}
export const fns = () =>
  Object.fromEntries(
    Object.entries(contracts).map(([name, [payload, success]], id) => [
      name,
      fn(id, name, payload, success, Schema.Never)
    ])
  )
