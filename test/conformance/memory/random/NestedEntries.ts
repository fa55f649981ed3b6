/** The entries that both sides keep for nested calls, so that a test can check that none is left. */
import * as Effect from "effect/Effect"
import { NestedSession } from "../../../../src/pool/life/NestedSession.ts"
import { NestedCalls } from "../../../../src/runner/NestedCalls.ts"

/** The private state of both sides. */
interface Entries {
  readonly calls?: { readonly size: number }
  readonly open?: { readonly size: number }
  readonly room?: { readonly size: number }
  /** Bytes of payloads of open calls. A runner has them in its room. */
  readonly size: number
}

/** Runs an effect that gets the number of entries, and of bytes, that both sides hold. */
export const countingNested = <A, E, R>(
  use: (left: () => number) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const seen = new Set<object>()
  const { admit, relay } = NestedCalls.prototype
  const { message } = NestedSession.prototype
  return Effect.acquireUseRelease(
    Effect.sync(() => {
      NestedCalls.prototype.relay = function (...args) {
        seen.add(this)
        return relay.apply(this, args)
      }
      NestedCalls.prototype.admit = function (...args) {
        seen.add(this)
        return admit.apply(this, args)
      }
      NestedSession.prototype.message = function (...args) {
        seen.add(this)
        return message.apply(this, args)
      }
    }),
    () =>
      use(() =>
        ([...seen] as Array<unknown> as Array<Entries>).reduce(
          (sum, { calls, open, room, size }) => sum + (calls ?? open)!.size + (room?.size ?? size),
          0
        )
      ),
    () =>
      Effect.sync(() => {
        NestedCalls.prototype.relay = relay
        NestedCalls.prototype.admit = admit
        NestedSession.prototype.message = message
      })
  )
}
