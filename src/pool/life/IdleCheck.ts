/** Asks a runner whether it may be stopped for want of work. */
import * as Effect from "effect/Effect"
import type { AnyFunction } from "../../function/FlameFunction.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import type { RunnerCall, RunnerHandle } from "../engine/RunnerHandle.ts"
import { Kind } from "../../wire/Frame.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"

/** How long a runner has to object to being stopped, in milliseconds. */
const objectionTime = 1_000

const none = new Uint8Array(0)

/** Asks by a call of `idleWhen`, and tells the policy the answer: exactly one to each question. */
export const askIdle = (
  engine: PoolEngine,
  pool: string,
  idleWhen: AnyFunction | undefined,
  index: number,
  handle: RunnerHandle,
  beside: (effect: Effect.Effect<unknown>) => void
): void => {
  let answered = false
  const answer = (idle: boolean) => {
    if (answered) return
    answered = true
    engine.timer.cancel(silence)
    engine.step({ _tag: "IdleAnswer", now: engine.now(), runner: index, idle })
  }
  const call: RunnerCall = {
    linkId: 0,
    turn: 0,
    final: (kind, body) =>
      answer(
        kind !== Kind.Success ||
          idleWhen === undefined ||
          FunctionCodec.of(idleWhen).success.decode(body, false) !== false
      )
  }
  // silent or failing, it does not object: a check that is broken must not keep runners for ever
  const silence = engine.timer.after(objectionTime, () => {
    // else the runner would take its drain for a reason to wait for it
    handle.cancel(call)
    answer(true)
  })
  const functionIndex = idleWhen === undefined ? undefined : handle.indexOf(idleWhen)
  if (typeof functionIndex !== "number") {
    const advice = `add ${idleWhen?.name} to their functions`
    beside(Effect.logWarning(`idleWhen of pool ${pool} is not served by its runners: ${advice}`))
    return answer(true)
  }
  handle.request(call, functionIndex, objectionTime, undefined, undefined, none)
}
