/** Tests parents whose clock differs from the API server's: calls get the whole grace of their pod. C160. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stage from "../fixtures/conformance-process/stage.ts"
import { remove } from "./kit/Cluster.ts"
import { host } from "./kit/HostParent.ts"
import { leavesNothing } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"

const space = Namespaces.ofFile("clocks")

/** A module that shifts the clock of a process by that many seconds. */
const skewed = (seconds: number): string => {
  const code = `
    const Real = Date, ahead = ${seconds * 1_000}
    globalThis.Date = class extends Real {
      constructor(...given) { if (given.length === 0) super(Real.now() + ahead); else super(...given) }
      static now() { return Real.now() + ahead }
    }`
  return `--import data:text/javascript,${encodeURIComponent(code)}`
}

describe("a parent whose clock is", () => {
  for (const seconds of [60, -60]) {
    const what = `${Math.abs(seconds)} s ${seconds > 0 ? "ahead" : "behind"}`
    for (const victim of ["runner", "parent"] as const) {
      it.live(`[C160] ${what} gives calls their whole grace when the pod of the ${victim} is deleted`, () =>
        leavesNothing(
          space.name,
          Effect.gen(function* () {
            const stage = yield* Stage.makeFor(host)
            const name = `${seconds > 0 ? "ahead" : "behind"}-${victim}`
            const { control } = yield* ParentPod.start(space.name, name, {
              stage: stage.path,
              env: { NODE_OPTIONS: skewed(seconds) },
              flame: { drainTimeout: "15 seconds" },
              grace: 30
            })
            const call = yield* Effect.forkScoped(control.call("play", { key: name, stubborn: false }))
            const { host: runner } = yield* stage.said(name, "started")
            yield* remove(space.name, "pods", victim === "runner" ? runner : name)
            yield* control.events.nth(victim === "runner" ? "RunnerLeaving" : "PoolClosing")
            // Longer than the grace would last if the clocks were compared. Nothing may happen, so there is no
            // condition to wait for.
            yield* Effect.sleep("8 seconds")
            assert.isUndefined(call.pollUnsafe())
            yield* stage.tell(name, "return")
            assert.strictEqual((yield* Fiber.join(call))._tag, "Success")
          })
        )
      )
    }
  }
})
