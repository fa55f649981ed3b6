/** The calls that reach `KubeMock`: how many of each kind there were, and which of the next ones fail. */
import * as Effect from "effect/Effect"
import type { KubeError } from "../kubernetes/api/KubeError.ts"

export class ApiCalls {
  private readonly failures = new Map<string, Array<KubeError>>()
  private readonly made: Record<string, number> = {}

  /** The number of calls of each kind, such as `create pods`. */
  get counts(): Record<string, number> {
    return { ...this.made }
  }

  /** Makes the next calls of a kind fail with these errors, one each. */
  fail(call: string, errors: ReadonlyArray<KubeError>): void {
    this.failures.set(call, [...(this.failures.get(call) ?? []), ...errors])
  }

  /** Counts a call before anything is done for it. Fails with the next error of `fail`, if there is one for this kind. */
  begin(verb: string, resource: string): Effect.Effect<void, KubeError> {
    return Effect.suspend(() => {
      const call = `${verb} ${resource}`
      this.made[call] = (this.made[call] ?? 0) + 1
      const error = this.failures.get(call)?.shift()
      return error === undefined ? Effect.void : Effect.fail(error)
    })
  }
}
