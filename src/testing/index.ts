/**
 * Tools for tests: of an app that uses Flame, and of a backend.
 *
 * **An app** is tested in memory. `FlameLayer.test` runs its functions through the real codec and the real pool, so that a
 * value which would not survive the way to another process fails here too. The services of the functions, which a runner
 * would build, are requirements of that layer: mocks go where the real ones would. A function whose code a test must not run
 * is given other code by `Flame.implement`. Further pools stand beside it, as in the app. `MemoryRunners` makes things go
 * wrong. All of it works under `TestClock`, and needs no real time.
 *
 * ```ts
 * import { assert, it } from "@effect/vitest"
 * import { Effect, Fiber, Layer } from "effect"
 * import { TestClock } from "effect/testing"
 * import { Flame, FlameLayer } from "effect-flame"
 * import { MemoryRunners } from "effect-flame/testing"
 * import { Ffmpeg, Gpu, thumbnail, train } from "../src/app.ts"
 *
 * const FfmpegMock = Layer.mock(Ffmpeg, { frame: () => Effect.succeed(new Uint8Array(3)) })
 * const trained = Flame.implement(train, () => Effect.as(Effect.sleep("1 hour"), "a model"))
 * const Test = Gpu.layer({ max: 1 }).pipe(
 *   Layer.provideMerge(FlameLayer.test([thumbnail, trained], { max: 2 })),
 *   Layer.provide(FfmpegMock)
 * )
 *
 * it.effect("trains for an hour, or says that the runner was lost", () =>
 *   Effect.gen(function*() {
 *     assert.lengthOf(yield* Flame.call(thumbnail, { video: "a.mp4", at: 3 }), 3)
 *     const first = yield* Effect.forkChild(Flame.call(train))
 *     yield* TestClock.adjust("1 hour")
 *     assert.strictEqual(yield* Fiber.join(first), "a model")
 *     const second = yield* Effect.forkChild(Effect.flip(Flame.call(train)))
 *     yield* TestClock.adjust("1 minute")
 *     yield* (yield* MemoryRunners).lose()
 *     assert.strictEqual((yield* Fiber.join(second)).reason._tag, "RunnerLost")
 *   }).pipe(Effect.provide(Test)))
 * ```
 *
 * A pool that closes lets the calls in flight end, within `drainTimeout` of a test's clock, which stands still once the test
 * has failed. With `drainTimeout: 0` such a test ends at once, with its own failure.
 *
 * **A backend** is tested by `backendConformance`: the same suite for the ones of this package and for anybody's.
 */
export * as MemoryBackend from "../backend/MemoryBackend.ts"
export { type MemoryRunner, MemoryRunners } from "../backend/MemoryBackend.ts"
export { backendConformance, type ConformanceOptions } from "./BackendConformance.ts"
export { conformanceFunctions } from "./ConformanceFunctions.ts"
export { KubeClient } from "../kubernetes/api/KubeClient.ts"
export * as ApiErrors from "./ApiErrors.ts"
export { KubeMock } from "./KubeMock.ts"
export * as PodScript from "./PodScript.ts"
