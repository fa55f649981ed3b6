/** Draws the status of one pool: figures of the pool now, and what its record has kept. */
import { printable, printableLine } from "../../error/PeerText.ts"
import { Call } from "../../pool/engine/Call.ts"
import type { EngineRunner } from "../../pool/engine/EngineParts.ts"
import type { OwnPool } from "../../pool/runtime/Pools.ts"
import { stepsOf } from "./BootList.ts"
import type { PoolRecord } from "./PoolRecord.ts"
import { limits, type PoolDocument, rounded } from "./StatusDocument.ts"

type Runner = PoolDocument["runners"][number]
type RunningCall = Runner["running"][number]

/** Running calls of a whole pool that are listed, so that a document of a thousand runners stays small. */
const mostRunning = 1_000

const stateOf = (call: Call): RunningCall["state"] => {
  if (call.isStuck) return "stuck"
  if (call.phase === "stopping") return "stopping"
  return call.isSuspended ? "suspended" : "running"
}

/** The calls that a runner has now, oldest first. */
const callsOf = (runner: EngineRunner | undefined): ReadonlyArray<Call> => {
  const calls = runner?.handle?.calls.filter((call) => call instanceof Call) ?? []
  return calls.toSorted((a, b) => a.dispatchedAt - b.dispatchedAt)
}

const runningCall = (call: Call, now: number): RunningCall => ({
  function: printableLine(call.fn.name, limits.message),
  since: rounded(now - call.dispatchedAt),
  budget: call.expiry === undefined ? undefined : rounded(call.expiry - now),
  state: stateOf(call)
})

const textsOf = (labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [printableLine(name), printableLine(value)]))

export const poolDocument = (pool: OwnPool, record: PoolRecord, hasCalls: boolean): PoolDocument => {
  const { engine, status } = pool
  const now = engine.now()
  const byId = new Map(Array.from(engine.runners.values(), (runner) => [runner.id, runner]))
  const running = new Map<string, number>()
  const most = Math.max(1, Math.min(limits.running, Math.floor(mostRunning / Math.max(1, status.runners.length))))
  const runners = status.runners.map((runner): Runner => {
    const calls = callsOf(byId.get(runner.id))
    for (const call of calls) running.set(call.fn.name, (running.get(call.fn.name) ?? 0) + 1)
    const { age, id, labels, phase, phases, state, waitsFor } = runner
    return {
      id,
      state,
      labels: textsOf(labels),
      calls: runner.calls,
      suspended: calls.filter((call) => call.isSuspended).length,
      age: age === undefined ? undefined : rounded(age),
      phase,
      boot: stepsOf(phases),
      waitsFor: waitsFor === undefined ? undefined : printable(waitsFor, limits.message),
      running: calls.slice(0, most).map((call) => runningCall(call, now))
    }
  })
  return {
    ...status,
    runners,
    functions: record.functions.read(running, now),
    failures: record.failures.read(),
    boots: record.boots.read(record.wall),
    calls: hasCalls ? record.recent : [],
    history: record.history.read()
  }
}
