// How the parent drives the profiler of a runner.
import * as Schema from "effect/Schema"
import * as Flame from "../../src/Flame.ts"

export const control = {
  start: Flame.contract("profile.start", {}),
  stop: Flame.contract("profile.stop", { success: Schema.String })
}
