// effect-flame as a peer, with the parent from TypeScript source.
import { Backend } from "../src/backend/Backend.ts"
import * as Flame from "../src/Flame.ts"
import * as FlameLayer from "../src/FlameLayer.ts"
import { Pool } from "../src/pool/Pool.ts"
import { makeStart } from "./flame/adapter.mjs"

export const start = makeStart({ Backend, Flame, FlameLayer, Pool })
