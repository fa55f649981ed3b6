/** The events that go into a step of the policy, and the commands that come out. All times are milliseconds of one clock. */
import type { Ticket } from "./Ticket.ts"

/** The settings of the policy; a field that is undefined means never. */
export interface Options {
  /** Runners that are kept at all times. */
  readonly min: number
  /** Bound of all runners that exist: those that boot, serve, drain, or are lost and not yet removed. */
  readonly max: number
  /** Slots of a runner. */
  readonly concurrency: number
  /** Free slots to keep while any call runs or waits: a number, or below 1 a fraction of the busy and waiting ones. */
  readonly spare: number
  /**
   * The number of tickets that may wait, pinned tickets and requests for a lease included. Suspended tickets count too. As
   * many nested tickets may wait besides.
   */
  readonly queueCapacity: number
  /** Least busy runner first, or fullest first. */
  readonly strategy: "spread" | "pack"
  /** Calls after which a runner is replaced; nested ones do not count. */
  readonly maxCalls: number | undefined
  /** Age at which a runner is replaced, counted from `Ready`. */
  readonly maxLifetime: number | undefined
  /** How long a runner above `min` stays without work. */
  readonly idleTimeToLive: number | undefined
  /** How long a pool is without work before its `min` runners leave too. */
  readonly minIdleTimeToLive: number | undefined
  /** Whether a runner is asked before it is stopped for lack of work. */
  readonly asksIdle: boolean
  /** Pauses after failed boots: the first lasts 1 to 2 `base`, the longest at most `cap`. */
  readonly backoff: { readonly base: number; readonly cap: number }
  /** A runner that ends by itself within this time of being ready, without a completed call, counts as a failed boot. */
  readonly crashLoopTime: number
  /** How long callers wait while every boot fails. */
  readonly bootPatience: number
}

/** An event about a ticket that has no other fields. */
interface TicketEvent<Tag extends string> {
  readonly _tag: Tag
  readonly now: number
  readonly ticket: Ticket
}

/** An event about a runner that has no other fields. */
interface RunnerEvent<Tag extends string> {
  readonly _tag: Tag
  readonly now: number
  readonly runner: number
}

/** An event and its time. Events about runners or tickets that the policy no longer knows do nothing. */
export type Event =
  /** A call requests a slot. */
  | TicketEvent<"Submit">
  /** The caller of a waiting call is gone (interrupted, timed out). The ticket will not be dispatched. */
  | TicketEvent<"Withdraw">
  /** The slot of a running ticket is free. `completed`: its function ran to an end, which proves its runner. */
  | { readonly _tag: "Released"; readonly now: number; readonly ticket: Ticket; readonly completed: boolean }
  /**
   * A dispatched ticket waits again; with `keepsTurn` it is next. Its runner gets no more calls, because the runner is lost,
   * draining, or about to report so. The ticket would otherwise return to the same runner again and again.
   */
  | { readonly _tag: "Requeue"; readonly now: number; readonly ticket: Ticket; readonly keepsTurn: boolean }
  /** A running ticket waits for nested calls from now on: its slot may be lent to nested ones. */
  | TicketEvent<"Suspend">
  /** A suspended ticket goes on at once, even if another call has borrowed its slot. */
  | TicketEvent<"Resume">
  /** A boot succeeded. */
  | RunnerEvent<"Ready">
  /** A boot failed; `transient` causes may heal by themselves. `Gone` follows once nothing is left of it. */
  | {
      readonly _tag: "BootFailed"
      readonly now: number
      readonly runner: number
      readonly transient: boolean
      readonly cause: unknown
    }
  /** A boot waits for a node, which may take long: the boot is given up when nobody needs it any more. */
  | RunnerEvent<"Unscheduled">
  /** The boot has a node. */
  | RunnerEvent<"Scheduled">
  | RunnerEvent<"Unresponsive">
  | RunnerEvent<"Responsive">
  /** The runner announced that it drains. */
  | RunnerEvent<"RunnerDraining">
  /** A cancelled call of the runner did not stop. */
  | RunnerEvent<"Stuck">
  /** The runner's session is over and its slots with it; `Gone` follows. */
  | RunnerEvent<"Lost">
  /** The reason of the end of a runner that counts as a failed boot, known only after `Lost`. */
  | { readonly _tag: "EndedEarly"; readonly now: number; readonly runner: number; readonly cause: unknown }
  /** Nothing is left of the runner, so `max` allows another one. Every `Boot` ends with this event. */
  | RunnerEvent<"Gone">
  /** A `withRunner` wants a runner for its calls. The lease holds no slot of the runner. */
  | TicketEvent<"LeaseOpen">
  | { readonly _tag: "LeaseClose"; readonly now: number; readonly lease: number }
  /** The answer to `AskIdle`: exactly one to each, given by the service for a runner that does not answer in time. */
  | { readonly _tag: "IdleAnswer"; readonly now: number; readonly runner: number; readonly idle: boolean }
  | { readonly _tag: "Resize"; readonly now: number; readonly options: Options }
  /** Time has passed: sent at `wakeAt`, and once at the start so that `min` runners boot. */
  | { readonly _tag: "Tick"; readonly now: number }
  /** The pool shuts down. */
  | { readonly _tag: "Close"; readonly now: number }

/** The reason why a runner is told to end. */
export type DrainReason =
  | "idle"
  | "maxCalls"
  | "maxLifetime"
  | "consolidate"
  | "resize"
  | "draining"
  | "stuck"
  | "close"

/** The reason why a ticket gets no slot. */
export type RejectReason = "QueueFull" | "PoolClosed" | "BootFailed" | "RunnerLost" | "LeaseClosed"

/** A command. Commands are carried out in the order given. */
export type Command =
  | { readonly _tag: "Boot"; readonly runner: number }
  | { readonly _tag: "Dispatch"; readonly ticket: Ticket; readonly runner: number }
  /**
   * `RunnerLost`: pinned to a runner that takes no more calls; it did not run. `LeaseClosed`: pinned to a lease that is
   * over. `BootFailed` carries the cause of the failed boot and how many failed in a row.
   */
  | {
      readonly _tag: "Reject"
      readonly ticket: Ticket
      readonly why: RejectReason
      readonly cause: unknown
      readonly attempts: number
    }
  /**
   * Tells a runner to leave, at most once for each runner. Its slots are empty, except with `draining` and `stuck`, where
   * calls may still run. A runner that still boots is given up (`resize`, `close`, and `idle` for an unscheduled runner).
   */
  | { readonly _tag: "Drain"; readonly runner: number; readonly why: DrainReason }
  | { readonly _tag: "AskIdle"; readonly runner: number }
  /** No runner can boot: the cause is permanent, or `bootPatience` is over. The waiting calls are rejected. */
  | { readonly _tag: "Hopeless"; readonly cause: unknown; readonly attempts: number }
  | { readonly _tag: "LeaseGranted"; readonly ticket: Ticket; readonly lease: number; readonly runner: number }
