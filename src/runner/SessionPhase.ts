/**
 * The phases of a runner's session, and every transition between them.
 *
 *   open ──drain──▶ draining ──budgetOver──▶ stopping
 *                      │                        │
 *                      └──────────idle──────────┴──idle──▶ leaving
 *
 *   every phase before `closed` ──linkClosed──▶ closed
 *   stopping, leaving, closed ──graceOver──▶ over
 */

/**
 * - `open`: serves calls, from the Welcome on.
 * - `draining`: takes no new call but those that its own calls wait for, and lets its calls end.
 * - `stopping`: has interrupted its calls, whose finalizers run.
 * - `leaving`: has no call left, and says goodbye once everything is written.
 * - `closed`: the link is gone; has interrupted its calls, whose finalizers run.
 * - `over`: waits for nothing more.
 */
export type SessionPhase = "open" | "draining" | "stopping" | "leaving" | "closed" | "over"

/**
 * - `drain`: the parent, or a signal, tells the runner to go.
 * - `budgetOver`: calls have had the time of the drain.
 * - `idle`: a runner that drains has no call left.
 * - `linkClosed`: the link is closed, by either side or by a fault.
 * - `graceOver`: interrupted calls have had `cancelGrace`. Only the first such event counts.
 */
export type SessionEvent = "drain" | "budgetOver" | "idle" | "linkClosed" | "graceOver"

const transitions: Readonly<Record<SessionPhase, Readonly<Partial<Record<SessionEvent, SessionPhase>>>>> = {
  open: { drain: "draining", linkClosed: "closed" },
  draining: { budgetOver: "stopping", idle: "leaving", linkClosed: "closed" },
  stopping: { idle: "leaving", linkClosed: "closed", graceOver: "over" },
  leaving: { linkClosed: "closed", graceOver: "over" },
  closed: { graceOver: "over" },
  over: {}
}

/** The phase after an event. Undefined if the event changes nothing. */
export const after = (phase: SessionPhase, event: SessionEvent): SessionPhase | undefined => transitions[phase][event]
