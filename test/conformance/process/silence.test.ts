import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import type { RunnerLost } from "../../../src/error/FlameError.ts"
import { place } from "../../fixtures/conformance-process/functions.ts"
import { begin, inPool, leavesNothing, reasonOf } from "../../fixtures/conformance-process/harness.ts"

const untilItAnswers = inPool({ max: 2, concurrency: 2 }, (scene) =>
  Effect.gen(function* () {
    const blocked = yield* begin(scene, "a")
    yield* scene.stage.tell("a", `block ${scene.stage.gate}`)
    yield* scene.stage.said("a", "blocking")
    const { runner } = yield* scene.events.nth("RunnerUnresponsive")
    const { pid } = yield* Flame.call(place)
    assert.notStrictEqual(pid, blocked.pid)
    yield* scene.stage.open
    assert.strictEqual((yield* scene.events.nth("RunnerResponsive")).runner, runner)
    assert.strictEqual(yield* blocked.end, blocked.pid)
  })
)

const beyondTheLimit = inPool({ silenceLimit: "1 second" }, (scene) =>
  Effect.gen(function* () {
    const { fiber } = yield* begin(scene, "a")
    yield* scene.stage.tell("a", "block /never")
    const { exit } = (yield* reasonOf(Fiber.join(fiber))) as RunnerLost
    assert.strictEqual(exit._tag, "Killed")
    assert.match(exit.message, /silent for \d+ ms/)
  })
)

// Runs beside the other test, because both wait for pings, which are sent every 2 s.
it.live(
  "calls go to the next runner until a silent one answers, and are lost with a runner silent beyond `silenceLimit`",
  () => leavesNothing(Effect.all([untilItAnswers, beyondTheLimit], { concurrency: "unbounded" }))
)
