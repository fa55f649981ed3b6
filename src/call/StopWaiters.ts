/**
 * The fibers that wait for the end of something cancelled: a call, a nested call, or a request of a placed service.
 *
 * Several fibers may wait for one end, such as the caller and a finalizer of the Scope that the caller uses.
 */
import * as Effect from "effect/Effect"
import { confine } from "../error/Unhandled.ts"

/** A request that can be cancelled, with the fibers that wait for its end. */
export interface Stoppable {
  stopped: Array<() => void> | undefined
}

/** Waits until `tellStopped` is called for the request. Returns at once if `isStopped` says so. */
export const untilStopped = (request: Stoppable, isStopped: () => boolean): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (isStopped()) return resume(Effect.void)
    const waiter = () => resume(Effect.void)
    request.stopped = [...(request.stopped ?? []), waiter]
    return Effect.sync(() => {
      request.stopped = request.stopped?.filter((other) => other !== waiter)
    })
  })

/** Resumes every fiber that waits for the end of the request. */
export const tellStopped = (request: Stoppable): void => {
  const waiters = request.stopped
  request.stopped = undefined
  waiters?.forEach(confine)
}
