/**
 * FLAME for Effect: run any part of an app on an elastic pool of short-lived copies of that app.
 */
export { Backend } from "./backend/Backend.ts"
export type { BootPhase, RunnerProcess, RunnerSpec } from "./backend/Backend.ts"
export * as BootFailure from "./error/BootFailure.ts"
export * as Flame from "./Flame.ts"
export * as FlameError from "./error/FlameError.ts"
export * as FlameLayer from "./FlameLayer.ts"
export * as FlameRunner from "./FlameRunner.ts"
export * as FlameStatus from "./status/FlameStatus.ts"
export * as Pools from "./pool/runtime/Pools.ts"
export { Pool } from "./pool/Pool.ts"
export type { PoolClass } from "./pool/Pool.ts"
export type { BootPhases, PoolEvent, PoolStatus, RunnerStatus, Totals } from "./pool/status/PoolEvent.ts"
export type { BootOutcome, PoolOptions } from "./pool/option/PoolOptions.ts"
export type { PoolShape, Resizable } from "./pool/runtime/PoolShape.ts"
export { type LeasedRunner, Runner } from "./pool/runtime/Runner.ts"
export * as RunnerExit from "./error/RunnerExit.ts"
