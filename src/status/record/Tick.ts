/** The pace of the status: `Recorder.ts` adds figures at every tick, and `StatusFeed.ts` sends the status to viewers. */

/**
 * Milliseconds between two ticks. The quotas per second in `PoolRecord.ts` and `FunctionTable.ts` begin anew at each tick, so
 * a tick must be one second.
 */
export const tickMillis = 1_000
