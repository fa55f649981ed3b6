/**
 * Traces and logs to OpenTelemetry, and to Effect's DevTools beside it: `OTLP=URL DEVTOOLS=URL node
 * examples/compose/telemetry/main.ts`.
 *
 * The layer around `Flame.main` is built in both roles, so that runners export their own spans. The span of a function is
 * a child of the call's span, whichever process it comes from. What a function logs comes to the parent with its call.
 */
import { Config, Effect, Layer } from "effect"
import { DevTools } from "effect/devtools"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { Flame, FlameLayer } from "effect-flame"
import { countWords } from "../Words.ts"

const Telemetry = Layer.unwrap(
  Effect.gen(function* () {
    const otlp = yield* Config.String("OTLP").pipe(Config.withDefault("http://localhost:4318"))
    const devtools = yield* Config.String("DEVTOOLS").pipe(Config.withDefault("ws://localhost:34437"))
    const exporter = Otlp.layerJson({
      baseUrl: otlp,
      resource: { serviceName: Flame.role._tag === "Parent" ? "words" : "words-runner" }
    }).pipe(Layer.provide(FetchHttpClient.layer))
    // DevTools show the parent; the tracer of DevTools passes spans on to the one below it
    return Flame.role._tag === "Parent" ? DevTools.layer(devtools).pipe(Layer.provideMerge(exporter)) : exporter
  })
)

const app = Effect.gen(function* () {
  yield* Effect.log(`${yield* Flame.call(countWords, { text: "a rose is a rose" })} words`)
}).pipe(Effect.withSpan("report"))

Flame.main({
  functions: [countWords],
  app,
  // both sides export logs: a line of a function comes to the collector once
  flame: FlameLayer.auto({ max: 1, logLevel: "None" })
}).pipe(Effect.provide(Telemetry), Flame.runMain)
