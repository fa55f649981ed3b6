// Our project as a peer, the parent as it is published: JavaScript, one file per module, made from the sources by bundle.mjs.
import * as Flame from "./.out/lib/Flame.js"
import * as FlameLayer from "./.out/lib/FlameLayer.js"
import { makeStart } from "./flame/adapter.mjs"

export const start = makeStart({ Flame, FlameLayer })
