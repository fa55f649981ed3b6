import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend, type RunnerSpec } from "../../src/backend/Backend.ts"
import * as MemoryBackend from "../../src/backend/MemoryBackend.ts"
import { backendConformance, conformanceFunctions, MemoryRunners } from "../../src/testing/index.ts"

const layer = MemoryBackend.layer({ functions: conformanceFunctions })

/** A backend whose runners never send Hello. */
const silent = Layer.effect(
  Backend,
  Effect.gen(function* () {
    yield* (yield* MemoryRunners).muteBoots(true)
    return yield* Backend
  })
).pipe(Layer.provide(Layer.fresh(layer)))

/** A backend whose runners end as soon as they exist. */
const ending = Layer.effect(
  Backend,
  Effect.map(Backend, (backend) => ({
    ...backend,
    launch: (spec: RunnerSpec) => Effect.tap(backend.launch(spec), (runner) => runner.kill("the test"))
  }))
).pipe(Layer.provide(layer))

backendConformance("MemoryBackend", { describe, it, layer, silent, ending })
