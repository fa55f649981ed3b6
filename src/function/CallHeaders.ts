/** The parts of a group's request that cross beside its payload: headers, and whether the caller waits for the result. */
import * as Context from "effect/Context"

/** The headers of one request. */
export interface CallHeaders {
  readonly headers?: Readonly<Record<string, string>>
  readonly discard?: true
}

/** The headers of calls that are made in this context. */
export const Outgoing = Context.Reference<CallHeaders | undefined>("effect-flame/CallHeaders/Outgoing", {
  defaultValue: () => undefined
})

/** The headers of the call that this context serves. */
export const Incoming = Context.Reference<CallHeaders | undefined>("effect-flame/CallHeaders/Incoming", {
  defaultValue: () => undefined
})

/** The largest headers of one request, in characters of JSON. They travel in the head of the call. */
export const maxHeaders = 4 * 1024
