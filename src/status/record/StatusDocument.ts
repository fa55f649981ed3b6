/**
 * The status of a parent as JSON: its pools with their runners, functions, boots, failures and recent calls.
 *
 * `FlameStatus` serves the document, and the command line and the live page read it. Payloads, results and headers of calls
 * are never in it. Durations are in milliseconds, and times in milliseconds since 1970.
 */
import * as Schema from "effect/Schema"

/**
 * Version of the document. A reader refuses a larger one. A new field does not change the version; a field that is
 * removed, or means something else, does.
 *
 * @since 0.1.0
 * @category status
 */
export const version = 1

/**
 * Limits of the document.
 *
 * Lists of failures, boots, calls and history drop their oldest entries. `running` keeps the oldest calls. Functions beyond
 * the limit share the entry `(others)`. Messages are cut.
 */
export const limits = {
  /** Running calls that are listed for each runner. `calls` has their whole number. */
  running: 20,
  /** Functions that are counted one by one for each pool. All others share the entry `(others)`. */
  functions: 100,
  /** Distinct failures that are kept for each pool. */
  failures: 50,
  /** Boots that are kept for each pool, beside those in progress. */
  boots: 50,
  /** Calls that are kept for each pool. */
  calls: 200,
  /** Seconds of history that are kept for each pool. */
  history: 300,
  /** Characters of a message. */
  message: 1_000
} as const

/** The name of the entry that counts the functions beyond `limits.functions`. */
export const others = "(others)"

const text = Schema.String
const count = Schema.Int
const millis = Schema.Finite
const when = Schema.Finite

/** Steps of a boot in their order, with the milliseconds that each took. */
const Steps = Schema.Array(Schema.Tuple([text, millis]))

const RunningCall = Schema.Struct({
  function: text,
  /** Milliseconds since the runner got it. */
  since: millis,
  /** Milliseconds that are left of its budget. Absent without a budget. */
  budget: Schema.optional(millis),
  /**
   * `suspended` waits for a nested call. `stopping` was interrupted and has not ended. `stuck` did not end within
   * `cancelGrace`.
   */
  state: Schema.Literals(["running", "suspended", "stopping", "stuck"])
})

const Runner = Schema.Struct({
  id: text,
  state: Schema.Literals(["booting", "ready", "unresponsive", "draining"]),
  /** Helps a person to find the runner: a pid, or pod, node and namespace. */
  labels: Schema.Record(text, text),
  /** Calls that hold a slot of it. */
  calls: count,
  /** Calls beside these, which wait for nested calls and have lent their slot. */
  suspended: count,
  /** Milliseconds since it became ready. Absent while it boots. */
  age: Schema.optional(millis),
  /** The step of its boot that it reached last; `ready` once it serves. */
  phase: text,
  boot: Steps,
  /** The thing that its boot waits for, such as a message of the scheduler. */
  waitsFor: Schema.optional(text),
  /** Its calls, oldest first, at most `limits.running`. */
  running: Schema.Array(RunningCall)
})

const FunctionFigures = Schema.Struct({
  name: text,
  /** Calls that have ended since the layer was built. */
  calls: count,
  failed: count,
  interrupted: count,
  /** Calls on runners now. */
  running: count,
  /** Percentiles of the time from call to answer over the last 5 to 10 minutes. Absent without a call in that time. */
  p50: Schema.optional(millis),
  p99: Schema.optional(millis),
  /** The longest call of that time. */
  max: Schema.optional(millis)
})

const Failure = Schema.Struct({
  /** Its latest occurrence. */
  at: when,
  /** Its first occurrence. */
  first: when,
  /** How often it happened. */
  count,
  kind: Schema.Literals(["call", "cast", "boot", "lost", "outage"]),
  /** The tag of the error, such as `RunnerLost` or `ImagePull`. */
  tag: text,
  /** The message of the latest occurrence. */
  message: text,
  function: Schema.optional(text),
  runner: Schema.optional(text)
})

const Boot = Schema.Struct({
  runner: text,
  at: when,
  outcome: Schema.Literals(["booting", "ready", "failed", "given up"]),
  /** Milliseconds that it took, or has taken so far. */
  took: millis,
  steps: Steps,
  waitsFor: Schema.optional(text),
  failure: Schema.optional(text)
})

const RecentCall = Schema.Struct({
  at: when,
  function: text,
  runner: Schema.optional(text),
  outcome: Schema.Literals(["succeeded", "failed", "interrupted"]),
  /** From call to answer. */
  total: millis,
  /** Waiting for a slot, without the boot. */
  queued: millis,
  /** Waiting for each step of a boot. Empty if a runner was there. */
  boot: Steps,
  /** Carrying the call to the runner and the answer back. Absent if `ran` is absent. */
  carried: Schema.optional(millis),
  /** The function, by its runner's clock. Absent for a call whose runner was not asked, or gave no answer. */
  ran: Schema.optional(millis)
})

/** Figures of the last minutes, one entry per `every` milliseconds, oldest first. All lists have the same length. */
const History = Schema.Struct({
  /** Milliseconds between two entries. */
  every: millis,
  waiting: Schema.Array(count),
  busy: Schema.Array(count),
  runners: Schema.Array(count),
  /** Calls that ended since the entry before. */
  ended: Schema.Array(count),
  failed: Schema.Array(count)
})

const Totals = Schema.Struct({
  calls: count,
  succeeded: count,
  failed: count,
  interrupted: count,
  casts: count,
  castsFailed: count,
  boots: count,
  bootsFailed: count,
  runnersLost: count,
  queueMillis: millis,
  runMillis: millis
})

/**
 * The schema of one pool in the document.
 *
 * @since 0.1.0
 * @category status
 */
export const PoolDocument = Schema.Struct({
  pool: text,
  backend: text,
  state: Schema.Literals(["open", "closing", "closed"]),
  min: count,
  max: count,
  concurrency: count,
  booting: count,
  ready: count,
  draining: count,
  busySlots: count,
  freeSlots: count,
  suspended: count,
  waiting: count,
  leases: count,
  totals: Totals,
  runners: Schema.Array(Runner),
  /** Most calls first. */
  functions: Schema.Array(FunctionFigures),
  /** Latest first. */
  failures: Schema.Array(Failure),
  /** Latest first, those in progress included. */
  boots: Schema.Array(Boot),
  /** Latest first: a sample of all calls, and every slow or failed call as far as they fit. */
  calls: Schema.Array(RecentCall),
  history: History
})

/**
 * A pool in the document.
 *
 * @since 0.1.0
 * @category status
 */
export type PoolDocument = typeof PoolDocument.Type

/**
 * The schema of the document. `FlameStatus.schema` gives it to apps.
 *
 * @since 0.1.0
 * @category status
 */
export const StatusDocument = Schema.Struct({
  version: Schema.Literal(version),
  at: when,
  parent: Schema.Struct({
    /** Identity of this start of the program. Runner pods carry it as the annotation `flame.dev/life`. */
    life: text,
    pid: count,
    host: text,
    /** The file that Node runs. */
    program: text,
    node: text,
    startedAt: when
  }),
  /** Whether this address takes actions: `POST /resize` and `POST /drain`. */
  actions: Schema.Boolean,
  pools: Schema.Array(PoolDocument)
})

/**
 * The status of a parent.
 *
 * @since 0.1.0
 * @category status
 */
export type StatusDocument = typeof StatusDocument.Type

/** Milliseconds with two decimals: more only makes the document larger. */
export const rounded = (time: number): number => Math.round(time * 100) / 100
