// The runner of profile.mjs: the same functions, and two functions that drive the profiler.
import * as Effect from "effect/Effect"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import * as Flame from "../../src/Flame.ts"
import { FlameRunner, runMain } from "../../src/runner.ts"
import { defineControl, defineEchoes } from "./define.mjs"
import { functions } from "./functions.mjs"
import { startProfile, stopProfile } from "./profiler.mjs"

const control = defineControl({ Flame, Schema })
const start = Flame.implement(control.start, () => Effect.promise(startProfile))
const stop = Flame.implement(control.stop, () => Effect.map(Effect.promise(stopProfile), JSON.stringify))

const echoes = defineEchoes({ Effect, Flame, Rpc, RpcGroup, Schema })

FlameRunner.serve([...Object.values(functions), echoes, start, stop]).pipe(runMain)
