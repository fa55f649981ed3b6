// The runner of the case `placed`. The entry is separate because a service loads modules that would slow down the measured boots.
import * as Effect from "effect/Effect"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import * as Flame from "../../src/Flame.ts"
import { FlameRunner, runMain } from "../../src/runner.ts"
import { defineEchoes } from "./define.mjs"
import { functions } from "./functions.mjs"

FlameRunner.serve([...Object.values(functions), defineEchoes({ Effect, Flame, Rpc, RpcGroup, Schema })]).pipe(runMain)
