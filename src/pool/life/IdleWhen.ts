/**
 * Calls the user's `idleWhen` on an idle runner, and reports its answer to the policy.
 *
 * `pool/policy/Shrinking.ts` decides when a runner is asked, and what follows from the answer.
 */
import * as Effect from "effect/Effect"
import type { AnyFunction } from "../../function/FlameFunction.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import type { RunnerCall, RunnerHandle } from "../engine/RunnerHandle.ts"
import { Kind } from "../../wire/Frame.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"

/** Milliseconds within which a runner may object to being stopped. */
const objectionTime = 1_000

const none = new Uint8Array(0)

/** Whether the result of `idleWhen` lets the runner go. A result that cannot be decoded is no objection. */
const mayStop = (idleWhen: AnyFunction, body: Buffer): boolean => {
  try {
    return FunctionCodec.of(idleWhen).success.decode(body, false) !== false
  } catch {
    return true
  }
}

/** Calls `idleWhen` on the runner, and gives the policy exactly one answer to each question. */
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
    final: (kind, body) => answer(kind !== Kind.Success || idleWhen === undefined || mayStop(idleWhen, body))
  }
  // No answer, or a failure, is no objection, because a broken check must not keep runners for ever.
  const silence = engine.timer.after(objectionTime, () => {
    // Otherwise the runner would wait for this call while it drains.
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
