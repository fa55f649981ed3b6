/** What crosses with the request of a group besides its payload: its headers, and whether anybody waits for its result. */
import * as Context from "effect/Context"

/** Of one request. */
export interface CallHeaders {
  readonly headers?: Readonly<Record<string, string>>
  readonly discard?: true
}

/** Of the call that is made by whoever runs with it. */
export const Outgoing = Context.Reference<CallHeaders | undefined>("effect-flame/CallHeaders/Outgoing", {
  defaultValue: () => undefined
})

/** Of the call that runs. */
export const Incoming = Context.Reference<CallHeaders | undefined>("effect-flame/CallHeaders/Incoming", {
  defaultValue: () => undefined
})

/** The most that headers of one request may be, in characters of JSON: they travel in the head of its call. */
export const maxHeaders = 4 * 1024
