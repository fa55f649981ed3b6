/** The moves of a schedule. */
import type * as Policy from "../../src/pool/policy/Policy.ts"
import type { Call } from "./PoolWorld.ts"
import type { Random } from "./Random.ts"

/** The kinds of moves. */
export const kinds = [
  "submit",
  "cast",
  "pinned",
  "leaseOpen",
  "leaseClose",
  "withdraw",
  "release",
  "nest",
  "nestAbroad",
  "abroad",
  "home",
  "ready",
  "failTransient",
  "failPermanent",
  "unresponsive",
  "responsive",
  "announce",
  "stuck",
  "lose",
  "orphan",
  "handBack",
  "gone",
  "vanish",
  "answer",
  "wait",
  "wake",
  "late",
  "resize",
  "close"
] as const

/** A move: its kind, its target as a fraction of those that qualify, and a parameter. */
export interface Move {
  readonly kind: (typeof kinds)[number]
  readonly whom: number
  readonly how: number
}

// How often each kind of move occurs in a quiet world. Each schedule changes these weights.
const weights: Record<Move["kind"], number> = {
  submit: 14,
  cast: 3,
  pinned: 8,
  leaseOpen: 3,
  leaseClose: 3,
  withdraw: 3,
  release: 26,
  nest: 0,
  nestAbroad: 0,
  abroad: 0,
  home: 0,
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

/** Makes a schedule with that many moves. */
export const make = (random: Random, count: number): ReadonlyArray<Move> => {
  const bent = kinds.map((kind) => weights[kind] * 4 ** (2 * random() - 1))
  if (random() < 0.5) {
    // Functions that call others, in this pool and through another pool.
    const much = 12 * random()
    bent[kinds.indexOf("nest")] = much
    bent[kinds.indexOf("nestAbroad")] = much * random()
    bent[kinds.indexOf("abroad")] = much * random()
    bent[kinds.indexOf("home")] = much * random()
  }
  if (random() < 0.25) bent[kinds.indexOf("resize")] = 0.5
  if (random() < 0.25) bent[kinds.indexOf("close")] = 0.2
  const total = bent.reduce((sum, _) => sum + _, 0)
  const kindAt = (fraction: number): Move["kind"] => {
    let left = fraction * total
    return kinds.find((_, index) => (left -= bent[index] ?? 0) < 0) ?? "wait"
  }
  return Array.from({ length: count }, () => ({ kind: kindAt(random()), whom: random(), how: random() }))
}

/** An event as text. */
export const describe = (event: Policy.Event): string => {
  const { _tag, now, ...rest } = event
  const ticket = "ticket" in rest ? (rest.ticket as Call) : undefined
  const about = ticket === undefined ? JSON.stringify(rest) : JSON.stringify({ call: ticket.turn, lease: ticket.lease })
  return `${now} ${_tag} ${about}`
}
