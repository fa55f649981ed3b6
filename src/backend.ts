/** The door for authors of a backend: its contract, the byte pipe to a runner, and a listener that runners dial back to. */
export { Backend } from "./backend/Backend.ts"
export type { BootPhase, Leaving, RunnerProcess, RunnerSpec } from "./backend/Backend.ts"
export * as Build from "./process/BuildName.ts"
export * as ProcessExit from "./backend/ProcessExit.ts"
export * as RunnerListener from "./backend/RunnerListener.ts"
export { reportOf } from "./backend/RunnerReport.ts"
export { fromDuplex } from "./wire/Transport.ts"
export type { Transport, TransportHandlers } from "./wire/Transport.ts"
