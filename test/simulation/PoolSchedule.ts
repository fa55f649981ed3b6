/** Runs random schedules by seed, and shrinks a schedule that breaks a rule. */
import type * as Policy from "../../src/pool/policy/Policy.ts"
import { PoolDriver } from "./PoolDriver.ts"
import * as PoolMove from "./PoolMove.ts"
import * as Random from "./Random.ts"

/** A schedule that broke a rule. */
export interface Finding {
  readonly seed: number
  /** The number of moves before shrinking. */
  readonly length: number
  readonly message: string
  /** The fewest moves found that break the rule, and their events. */
  readonly moves: ReadonlyArray<PoolMove.Move>
  readonly log: ReadonlyArray<string>
}

/** Runs the schedule of a seed. */
export const run = (
  seed: number,
  moveCount: number
): { readonly steps: number; readonly finding: Finding | undefined } => {
  const options = optionsOf(Random.make(seed))
  const moves = PoolMove.make(Random.make(seed ^ 0x5bd1e995), moveCount)
  const { error, steps } = attempt(options, seed, moves, false)
  return { steps, finding: error === undefined ? undefined : shrink(options, seed, moves) }
}

// A finding about an endless wait ends with many ticks in which nothing happens.
const shown = 80

/** A finding as text. */
export const render = ({ length, log, message, moves, seed }: Finding): string =>
  [
    message,
    `seed ${seed}, again: npm run sim -- --seed ${seed} --schedules 1 --moves ${length}`,
    `shrunk to ${moves.length} moves:`
  ]
    .concat(
      log.slice(0, shown).map((_) => `  ${_}`),
      log.length > shown ? ["  …"] : []
    )
    .join("\n")

const attempt = (options: Policy.Options, seed: number, moves: ReadonlyArray<PoolMove.Move>, keepLog: boolean) => {
  let driver: PoolDriver | undefined
  let error: Error | undefined
  try {
    driver = new PoolDriver(options, seed, keepLog)
    for (const move of moves) driver.move(move)
    if (!driver.world.closed) driver.settle()
    driver.finish()
  } catch (thrown) {
    // Anything thrown is a finding, also a crash of the policy itself.
    error = thrown instanceof Error ? thrown : new Error(String(thrown))
  }
  return { error, steps: driver?.steps ?? 0, log: driver?.log ?? [] }
}

/** Removes moves while the rest still breaks a rule: first halves, then smaller pieces, down to single moves. */
const shrink = (options: Policy.Options, seed: number, moves: ReadonlyArray<PoolMove.Move>): Finding => {
  let best = moves
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.length;) {
      const less = best.toSpliced(from, size)
      if (attempt(options, seed, less, false).error === undefined) from += size
      else best = less
    }
  }
  const { error, log } = attempt(options, seed, best, true)
  return { seed, length: moves.length, message: error?.message ?? "not broken again", moves: best, log }
}

const optionsOf = (random: Random.Random): Policy.Options => {
  const among = <A>(...items: ReadonlyArray<A>): A => Random.pick(items, random()) as A
  const max = among(1, 2, 3, 4, 6)
  return {
    min: Math.min(max, among(0, 0, 0, 1, 2)),
    max,
    concurrency: among(1, 1, 2, 3, 5),
    spare: among(0, 0, 0, 1, 2, 0.5),
    queueCapacity: among(0, 3, 8, 20, 1000),
    strategy: among("spread", "spread", "pack"),
    maxCalls: among(undefined, undefined, 1, 3, 10),
    maxLifetime: among(undefined, undefined, 1500, 8000),
    idleTimeToLive: among(undefined, 40, 200, 500, 500, 2000),
    minIdleTimeToLive: among(undefined, undefined, 40, 600, 4000),
    asksIdle: among(true, false),
    backoff: { base: 1000, cap: 30_000 },
    crashLoopTime: among(0, 400, 3000),
    bootPatience: among(Infinity, 500, 4000, 60_000)
  }
}
