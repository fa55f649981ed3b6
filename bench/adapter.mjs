// Our project as a peer, the parent from TypeScript source.
import * as Flame from "../src/Flame.ts"
import * as FlameLayer from "../src/FlameLayer.ts"
import { makeStart } from "./flame/adapter.mjs"

export const start = makeStart({ Flame, FlameLayer })
