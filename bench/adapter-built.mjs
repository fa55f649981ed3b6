// effect-flame as a peer, with the parent as published: JavaScript, one file per module. flame/bundle.mjs builds the files from src.
import { Backend } from "./.out/lib/backend/Backend.js"
import * as Flame from "./.out/lib/Flame.js"
import * as FlameLayer from "./.out/lib/FlameLayer.js"
import { Pool } from "./.out/lib/pool/Pool.js"
import { makeStart } from "./flame/adapter.mjs"

export const start = makeStart({ Backend, Flame, FlameLayer, Pool })
