/** Pauses between tries of something that failed: exponential back-off with jitter. */

/** The range of the pauses, in milliseconds. */
export interface RetryPauses {
  /** The longest pause after the first failure. */
  readonly first: number
  /** The longest pause after any number of failures. */
  readonly longest: number
}

/**
 * The pause after that many failures in a row, in milliseconds.
 *
 * The pause doubles with each failure, up to `longest`. Jitter takes away up to a half of each pause: processes that met
 * the same outage must not come back at the same moment. `random` is from 0 to 1.
 */
export const pauseAfter = (failures: number, { first, longest }: RetryPauses, random: number): number =>
  Math.min(longest, first * 2 ** (failures - 1)) * (0.5 + 0.5 * random)
