/** The web server, which only the parent loads: the job of `examples/weigh`, and the kubelet's probes. */
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { NodeHttpServer, NodeServices } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Option, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Pool } from "effect-flame"
import { run } from "../weigh/App.ts"

/** The packages of the image, beside the bundle. */
const folder = fileURLToPath(new URL("./node_modules", import.meta.url))

const Params = Schema.Struct({
  /** Also weigh in the parent's own process, which must give the same table. */
  compare: Schema.optionalKey(Schema.Literals(["true", "false"])),
  limit: Schema.optionalKey(Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0)))
})

// When a client hangs up, this fiber is interrupted, and the interruption stops the functions on their runners.
const Weigh = HttpRouter.add(
  "GET",
  "/weigh",
  Effect.gen(function* () {
    const { compare, limit } = yield* HttpRouter.schemaParams(Params)
    const lines: Array<string> = []
    const console = { ...globalThis.console, log: (...parts: ReadonlyArray<unknown>) => lines.push(parts.join(" ")) }
    yield* run({
      folder,
      compare: compare === "true",
      serial: false,
      runners: Option.none(),
      limit: Option.fromUndefinedOr(limit),
      top: 10
    }).pipe(Effect.provideService(Console.Console, console))
    return HttpServerResponse.text(`${lines.join("\n")}\n`)
  }).pipe(Effect.catch((error) => Effect.succeed(HttpServerResponse.text(`${error.message}\n`, { status: 500 }))))
)

// The parent does not compute, so a liveness probe is answered while all runners are busy.
const Live = HttpRouter.add("GET", "/live", Effect.succeed(HttpServerResponse.text("alive\n")))

// From SIGTERM on the pool accepts no new calls, so the Service has to send requests to another replica.
const Ready = HttpRouter.add(
  "GET",
  "/ready",
  Effect.gen(function* () {
    const { state } = yield* (yield* Pool).status
    return HttpServerResponse.text(`${state}\n`, { status: state === "open" ? 200 : 503 })
  })
)

/** Listens on `PORT`, or 3000. */
export const Server = HttpRouter.serve(Layer.mergeAll(Weigh, Live, Ready)).pipe(
  Layer.provide(NodeHttpServer.layerConfig(createServer, { port: Config.Int("PORT").pipe(Config.withDefault(3000)) })),
  Layer.provide(NodeServices.layer)
)
