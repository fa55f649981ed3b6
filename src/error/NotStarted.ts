/**
 * The reasons of a `FlameError` for which nothing of the call has run: it was refused before it reached a function.
 *
 * Two other reasons can be so too: a `TimedOut` whose phase is not `running`, and a `RunnerLost` whose `mayHaveRun` is false.
 */
import * as Schema from "effect/Schema"

/**
 * More calls wait than `queueCapacity` allows. Reported at once; nothing has run. Try again later.
 *
 * @since 0.1.0
 * @category errors
 */
export class QueueFull extends Schema.TaggedError<QueueFull>()("QueueFull", {
  /** Id of the pool. */
  pool: Schema.String,
  /** Name of the function. */
  function: Schema.String,
  /** How many calls wait. */
  waiting: Schema.Int,
  /** The `queueCapacity` of the pool. */
  capacity: Schema.Int
}) {
  override get message() {
    return `${this.function} was not accepted: ${this.waiting} calls wait in pool ${this.pool} already, and its queueCapacity is ${this.capacity}; try again later, or raise \`max\` or \`queueCapacity\``
  }
}

/**
 * The pool is closing, or has closed. The call has not run.
 *
 * @since 0.1.0
 * @category errors
 */
export class PoolClosed extends Schema.TaggedError<PoolClosed>()("PoolClosed", {
  /** Id of the pool. */
  pool: Schema.String,
  /** Name of the function. */
  function: Schema.String
}) {
  override get message() {
    return `pool ${this.pool} is closed: ${this.function} was not started; make calls before the program shuts down`
  }
}

/**
 * The pool of a call is not provided where the call is made. Nothing has run.
 *
 * @since 0.1.0
 * @category errors
 */
export class PoolMissing extends Schema.TaggedError<PoolMissing>()("PoolMissing", {
  /** Id of the pool. */
  pool: Schema.String,
  /** Name of the function. */
  function: Schema.String,
  /** Why it is not there, and what to provide. */
  detail: Schema.String
}) {
  override get message() {
    return `${this.function} needs pool ${this.pool}, which is not there: ${this.detail}`
  }
}

/**
 * The runner's code does not have the function. Nothing has run.
 *
 * @since 0.1.0
 * @category errors
 */
export class FunctionMissing extends Schema.TaggedError<FunctionMissing>()("FunctionMissing", {
  /** Id of the pool. */
  pool: Schema.String,
  /** Name of the function. */
  function: Schema.String,
  /** Name of the runner, as events and logs have it. */
  runner: Schema.String,
  /** Name of the build of the parent. */
  parentBuild: Schema.String,
  /** Name of the build of the runner. */
  runnerBuild: Schema.String
}) {
  override get message() {
    return `runner ${this.runner} of pool ${this.pool} does not serve ${this.function} (parent build ${this.parentBuild}, runner build ${this.runnerBuild}): add it to \`functions\` of Flame.main or to FlameRunner.serve`
  }
}

/**
 * Calls are nested deeper than the limit. Nothing has run.
 *
 * @since 0.1.0
 * @category errors
 */
export class TooDeep extends Schema.TaggedError<TooDeep>()("TooDeep", {
  /** Name of the function. */
  function: Schema.String,
  /** How deep the call was nested. */
  depth: Schema.Int,
  /** The deepest nesting that is allowed. */
  limit: Schema.Int
}) {
  override get message() {
    return `${this.function} is nested ${this.depth} calls deep, the limit is ${this.limit}: look for a function that calls itself without end`
  }
}

/**
 * The payload does not match the function's schema; found before anything was sent. Values are never part of it.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPayload extends Schema.TaggedError<InvalidPayload>()("InvalidPayload", {
  /** Name of the function. */
  function: Schema.String,
  /** The paths that do not fit, and why. Values are never part of it. */
  issues: Schema.Array(Schema.Struct({ path: Schema.String, problem: Schema.String }))
}) {
  override get message() {
    const issues = this.issues.map(({ path, problem }) => (path === "" ? problem : `${path}: ${problem}`)).join("; ")
    return `the payload of ${this.function} does not match its schema: ${issues}`
  }
}
