/** A schedule as data: the options of a pool, and the steps. One seed makes one schedule. */
import * as Random from "../simulation/Random.ts"
import type { Ends, Job, Within } from "./Functions.ts"

export interface Options {
  readonly min: number
  readonly max: number
  readonly concurrency: number
  readonly spare: number
  readonly strategy: "spread" | "pack"
  readonly idleTimeToLive: number
  readonly drainTimeout: number
  readonly cancelGrace: number
  readonly reasonGrace: number
  readonly bootTimeout: number
  readonly silenceLimit: number
  readonly queueCapacity: number
  readonly maxCalls?: number
  readonly maxLifetime?: number
}

/** The target among the existing ones, as a fraction of their number. */
type Which = { readonly which: number }

export type Action =
  | { readonly _tag: "Call"; readonly often: boolean; readonly job: Job; readonly timeout?: number }
  | { readonly _tag: "Cast"; readonly job: Job }
  | { readonly _tag: "Group"; readonly job: Job; readonly timeout?: number }
  | {
      readonly _tag: "Outer"
      readonly id: number
      readonly times: number
      readonly together: boolean
      readonly inner: Job
      readonly timeout?: number
    }
  | {
      readonly _tag: "Within"
      readonly id: number
      readonly within: typeof Within.Type
      readonly inner: Job
      /** The number of items after which the function stops to read. */
      readonly take: number
      readonly timeout?: number
    }
  | {
      readonly _tag: "Items"
      readonly job: Job
      readonly count: number
      /** The number of items after which the reader stops. */
      readonly take: number
      /** Milliseconds that the reader takes for an item. */
      readonly pause: number
      readonly timeout?: number
    }
  | {
      readonly _tag: "Place"
      readonly id: number
      readonly millis: number
      readonly how: "well" | "badly" | "dead"
      readonly jobs: ReadonlyArray<Job>
      readonly hold: number
      readonly timeout?: number
    }
  | { readonly _tag: "Lease"; readonly jobs: ReadonlyArray<Job>; readonly pause: number }
  | ({ readonly _tag: "Interrupt" } & Which)
  | ({ readonly _tag: "Kill" } & Which)
  | ({ readonly _tag: "Cut"; readonly tellAfter?: number } & Which)
  | ({ readonly _tag: "Drain" } & Which)
  | ({ readonly _tag: "Freeze" } & Which)
  | { readonly _tag: "Thaw" }
  | ({ readonly _tag: "Slow"; readonly latency: number } & Which)
  | ({ readonly _tag: "Garbage"; readonly bytes: ReadonlyArray<number> } & Which)
  | { readonly _tag: "FailBoots"; readonly count: number; readonly permanent: boolean }
  | { readonly _tag: "DelayBoots"; readonly millis: number }
  | { readonly _tag: "MuteBoots"; readonly mute: boolean }
  | { readonly _tag: "Resize"; readonly max: number; readonly concurrency: number }
  | { readonly _tag: "Close" }

export interface Step {
  /** Milliseconds that pass before the step. */
  readonly wait: number
  readonly action: Action
}

export interface Schedule {
  readonly seed: number
  readonly options: Options
  readonly steps: ReadonlyArray<Step>
}

/** Makes the schedule of a seed. */
export const make = (seed: number, length: number): Schedule => {
  const random = Random.make(seed)
  const among = <A>(...values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)] as A
  const max = among(1, 1, 2, 3, 4)
  const options: Options = {
    min: Math.min(max, among(0, 0, 1, 2)),
    max,
    concurrency: among(1, 2, 3),
    spare: among(0, 0, 1, 0.5),
    strategy: among("spread", "pack"),
    idleTimeToLive: among(500, 3_000),
    drainTimeout: 4_000,
    cancelGrace: 1_000,
    reasonGrace: among(0, 50, 500),
    bootTimeout: 3_000,
    silenceLimit: 6_000,
    queueCapacity: among(4, 1_000),
    ...(random() < 0.3 ? { maxCalls: among(1, 2, 3) } : {}),
    ...(random() < 0.3 ? { maxLifetime: 5_000 } : {})
  }
  const kinds = actions(random, among, options)
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0)
  const steps = Array.from({ length }, (_, index): Step => {
    let at = random() * total
    const [, action] = kinds.find(([weight]) => (at -= weight) < 0) ?? kinds[0]!
    return { wait: among(0, 0, 0, 0, 1, 5, 10, 100, 1_000, 2_500), action: action(1_000 * (index + 1)) }
  })
  return { seed, options, steps }
}

type Kind = readonly [weight: number, action: (id: number) => Action]

const actions = (
  random: Random.Random,
  among: <A>(...values: ReadonlyArray<A>) => A,
  options: Options
): ReadonlyArray<Kind> => {
  const ends = (): Ends =>
    among(
      "well",
      "well",
      "well",
      "well",
      "badly",
      "dead",
      "late",
      "late",
      "stubborn",
      "unfit",
      "unfitError",
      "throwing",
      "poison"
    )
  const job = (id: number): Job => ({ id, millis: among(0, 0, 1, 10, 300, 2_500), ends: ends() })
  const jobs = (id: number): ReadonlyArray<Job> => Array.from({ length: among(1, 2, 4) }, (_, i) => job(id + i))
  const timeout = (): { readonly timeout?: number } =>
    random() < 0.4 ? { timeout: among(0, 50, 1_000, 2_000, 5_000) } : {}
  const which = () => ({ which: random() })
  return [
    [30, (id) => ({ _tag: "Call", often: random() < 0.3, job: job(id), ...timeout() })],
    [5, (id) => ({ _tag: "Cast", job: job(id) })],
    [6, (id) => ({ _tag: "Group", job: job(id), ...timeout() })],
    [
      8,
      (id) => ({ _tag: "Outer", id, times: among(1, 2, 4), together: random() < 0.5, inner: job(id + 1), ...timeout() })
    ],
    [
      8,
      (id) => ({
        _tag: "Within",
        id,
        within: among("stream", "stream", "group", "place", "place", "cast", "deep"),
        inner: job(id + 10),
        take: among(1, 3, 1_000),
        ...timeout()
      })
    ],
    [
      8,
      (id) => ({
        _tag: "Items",
        job: job(id),
        count: among(0, 1, 5, 40),
        take: among(1, 3, 1_000),
        pause: among(0, 0, 20, 700),
        ...timeout()
      })
    ],
    [
      5,
      (id) => ({
        _tag: "Place",
        id,
        millis: among(0, 10, 400),
        how: among("well", "well", "well", "badly", "dead"),
        jobs: jobs(id + 1),
        hold: among(0, 100, 3_000),
        ...timeout()
      })
    ],
    [4, (id) => ({ _tag: "Lease", jobs: jobs(id), pause: among(0, 100, 2_000) })],
    [8, () => ({ _tag: "Interrupt", ...which() })],
    [4, () => ({ _tag: "Kill", ...which() })],
    [2, () => ({ _tag: "Cut", tellAfter: among(0, 20, 300, 3_000), ...which() })],
    [1, () => ({ _tag: "Cut", ...which() })],
    [3, () => ({ _tag: "Drain", ...which() })],
    [2, () => ({ _tag: "Freeze", ...which() })],
    [3, () => ({ _tag: "Thaw" })],
    [2, () => ({ _tag: "Slow", latency: among(0, 1, 30, 400), ...which() })],
    [
      1,
      () => ({
        _tag: "Garbage",
        bytes: Array.from({ length: among(1, 5, 40) }, () => Math.floor(256 * random())),
        ...which()
      })
    ],
    [2, () => ({ _tag: "FailBoots", count: among(1, 2, 3), permanent: random() < 0.2 })],
    [2, () => ({ _tag: "DelayBoots", millis: among(0, 0, 100, 5_000) })],
    [1, () => ({ _tag: "MuteBoots", mute: random() < 0.5 })],
    [
      2,
      () => ({
        _tag: "Resize",
        max: Math.max(options.min, among(1, options.max, options.max + 1)),
        concurrency: among(1, 2, 3)
      })
    ],
    [0.5, () => ({ _tag: "Close" })]
  ]
}

/** A step as text. */
export const render = ({ action, wait }: Step): string => {
  const { _tag, ...rest } = action
  return `+${wait} ms ${_tag} ${JSON.stringify(rest)}`
}
