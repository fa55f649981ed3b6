/** The errors of calls that end without an answer of their function. */
import type { BootFailure } from "../../error/BootFailure.ts"
import {
  BootFailed,
  FunctionMissing,
  InvalidPayload,
  PoolClosed,
  QueueFull,
  type Reason,
  RunnerLost,
  TimedOut
} from "../../error/FlameError.ts"
import { Disconnected, type RunnerExit } from "../../error/RunnerExit.ts"
import { detachedProblem } from "../../schema/OwnBytes.ts"
import { Call } from "./Call.ts"
import type { Command } from "../policy/Step.ts"

/** A command that rejects a ticket. */
export type Rejection = Extract<Command, { readonly _tag: "Reject" }>

export const timedOut = (
  pool: string,
  call: Call,
  why: Pick<TimedOut, "phase" | "runner" | "waitsFor" | "cause">,
  now: number
): TimedOut =>
  new TimedOut({
    pool,
    function: call.fn.name,
    after: call.terms.timeout ?? Math.round(now - call.submittedAt),
    ...why
  })

export const runnerLost = (pool: string, call: Call, runner: string, exit: RunnerExit, attempts: number): RunnerLost =>
  new RunnerLost({
    pool,
    function: call.fn.name,
    runner,
    exit: exit.reason,
    mayHaveRun: call.mayHaveRun,
    gone: exit.gone,
    ...(call.sent > 1 && call.sent >= attempts ? { attempts: call.sent } : {})
  })

/** The error of a call whose payload was detached from its buffer before it was sent completely. */
export const detached = (call: Call): InvalidPayload =>
  new InvalidPayload({ function: call.fn.name, issues: [{ path: "", problem: detachedProblem }] })

/** The error of a call whose runner lacks the function or, with `failure`, has one of that name with another layout. */
export const misfit = (
  pool: string,
  call: Call,
  runner: string,
  failure: BootFailure | undefined,
  parentBuild: string,
  runnerBuild: string | undefined
): Reason =>
  failure === undefined
    ? new FunctionMissing({ pool, function: call.fn.name, runner, parentBuild, runnerBuild: runnerBuild ?? "?" })
    : new BootFailed({ pool, runner, attempts: 1, cause: failure })

export const rejected = (pool: string, rejection: Rejection, waiting: number, capacity: number): Reason => {
  const { attempts, cause, ticket, why } = rejection
  const name = ticket instanceof Call ? ticket.fn.name : "withRunner"
  switch (why) {
    case "QueueFull":
      return new QueueFull({ pool, function: name, waiting, capacity })
    case "PoolClosed":
      return new PoolClosed({ pool, function: name })
    case "BootFailed":
      return new BootFailed({ pool, attempts: Math.max(1, attempts), cause: cause as BootFailure })
    case "LeaseClosed":
    case "RunnerLost": {
      const detail = why === "RunnerLost" ? "the runner of this withRunner is gone" : "its withRunner has ended"
      const runner = ticket instanceof Call ? (ticket.terms.leasedRunner ?? "?") : "?"
      const exit = new Disconnected({ detail })
      return new RunnerLost({ pool, function: name, runner, exit, mayHaveRun: false, gone: false })
    }
  }
}
