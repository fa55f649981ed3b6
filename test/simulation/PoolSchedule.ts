/** Random schedules by seed, what they find, and the shortest form of it. */
import type * as PoolState from "../../src/pool/PoolState.ts"
import { kinds, type Move, PoolDriver } from "./PoolDriver.ts"
import * as Random from "./Random.ts"

/** A rule that a schedule broke. */
export interface Finding {
  readonly seed: number
  readonly message: string
  /** The fewest moves found that still break it, and what happened in them. */
  readonly moves: ReadonlyArray<Move>
  readonly log: ReadonlyArray<string>
}

/** Runs the schedule of a seed. */
export const run = (
  seed: number,
  moveCount: number
): { readonly steps: number; readonly finding: Finding | undefined } => {
  const options = optionsOf(Random.make(seed))
  const moves = movesOf(Random.make(seed ^ 0x5bd1e995), moveCount)
  const { error, steps } = attempt(options, seed, moves, false)
  return { steps, finding: error === undefined ? undefined : shrink(options, seed, moves) }
}

/** A finding for people. */
export const render = ({ log, message, moves, seed }: Finding): string =>
  [message, `seed ${seed}, again: npm run sim -- --seed ${seed} --schedules 1`, `${moves.length} moves:`]
    .concat(log.map((_) => `  ${_}`))
    .join("\n")

const attempt = (options: PoolState.Options, seed: number, moves: ReadonlyArray<Move>, keepLog: boolean) => {
  let driver: PoolDriver | undefined
  let error: Error | undefined
  try {
    driver = new PoolDriver(options, seed, keepLog)
    for (const move of moves) driver.move(move)
    if (!driver.world.closed) driver.settle()
    driver.finish()
  } catch (thrown) {
    // anything thrown is a finding, also a crash of the policy itself
    error = thrown instanceof Error ? thrown : new Error(String(thrown))
  }
  return { error, steps: driver?.steps ?? 0, log: driver?.log ?? [] }
}

/** Leaves out moves while what is left still breaks a rule: halves first, then ever smaller pieces, down to one. */
const shrink = (options: PoolState.Options, seed: number, moves: ReadonlyArray<Move>): Finding => {
  let best = moves
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.length;) {
      const less = best.toSpliced(from, size)
      if (attempt(options, seed, less, false).error === undefined) from += size
      else best = less
    }
  }
  const { error, log } = attempt(options, seed, best, true)
  return { seed, message: error?.message ?? "not broken again", moves: best, log }
}

const optionsOf = (random: Random.Random): PoolState.Options => {
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
    asksIdle: among(true, false),
    backoff: { base: 1000, cap: 30_000 }
  }
}

// how often each kind of move comes in a quiet world; each schedule bends it its own way
const weights: Record<Move["kind"], number> = {
  submit: 14,
  cast: 3,
  pinned: 8,
  leaseOpen: 3,
  leaseClose: 3,
  withdraw: 3,
  release: 26,
  ready: 20,
  failTransient: 1,
  failPermanent: 0.5,
  unresponsive: 1,
  responsive: 2,
  announce: 0.4,
  stuck: 0.3,
  lose: 0.7,
  orphan: 4,
  handBack: 0.5,
  gone: 12,
  vanish: 0.4,
  answer: 4,
  wait: 10,
  wake: 4,
  late: 0.7,
  resize: 0,
  close: 0
}

const movesOf = (random: Random.Random, count: number): ReadonlyArray<Move> => {
  const bent = kinds.map((kind) => weights[kind] * 4 ** (2 * random() - 1))
  if (random() < 0.25) bent[kinds.indexOf("resize")] = 0.5
  if (random() < 0.25) bent[kinds.indexOf("close")] = 0.2
  const total = bent.reduce((sum, _) => sum + _, 0)
  const kindAt = (fraction: number): Move["kind"] => {
    let left = fraction * total
    return kinds.find((_, index) => (left -= bent[index] ?? 0) < 0) ?? "wait"
  }
  return Array.from({ length: count }, () => ({ kind: kindAt(random()), whom: random(), how: random() }))
}
