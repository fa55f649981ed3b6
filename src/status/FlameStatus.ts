/**
 * Shows the pools of a process: as JSON, as events, and as a live page.
 *
 * `layer` listens on this machine only. `routes` mounts the same pages into the app's router. `npx effect-flame ps` and `top`
 * read them. Without `layer` and `routes` nothing is recorded.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { HttpRouter } from "effect/http/HttpRouter"
import * as Role from "../process/Role.ts"
import type { StatusDocument as DocumentSchema } from "./record/StatusDocument.ts"
import type { RoutesOptions, StatusOptions } from "./StatusOptions.ts"

export type { RoutesOptions, StatusOptions } from "./StatusOptions.ts"
export type { PoolDocument, StatusDocument } from "./record/StatusDocument.ts"

/**
 * Serves the status of every pool of this process for as long as the layer lives.
 *
 * In a pod it listens on 127.0.0.1:9346, which other pods cannot reach. Users with the right to forward ports
 * reach it by `kubectl port-forward`. Elsewhere it listens on a unix socket of mode 0600, which `npx effect-flame ps` finds.
 *
 * If an address cannot be used, a warning is logged and the app goes on. In a runner the layer does nothing.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Flame, FlameLayer } from "effect-flame"
 * import * as FlameStatus from "effect-flame/FlameStatus"
 *
 * const ping = Flame.fn("ping", {}, () => Effect.void)
 * const flame = Layer.provideMerge(FlameLayer.auto(), FlameStatus.layer({ port: 9346 }))
 * Flame.main({ functions: [ping], app: Flame.call(ping), flame }).pipe(Flame.runMain)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: StatusOptions = {}): Layer.Layer<never> =>
  isRunner()
    ? Layer.empty
    : Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("./StatusListeners.ts")),
          (StatusListeners) => StatusListeners.layer(options)
        )
      )

/**
 * Mounts the page and the status into the app's `HttpRouter`, at `/flame` by default.
 *
 * The app's middleware must guard it. Without a guard, everybody who reaches the app sees the names of its functions
 * and the messages of its errors.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 * import * as FlameStatus from "effect-flame/FlameStatus"
 *
 * const app = HttpRouter.serve(
 *   Layer.mergeAll(HttpRouter.add("GET", "/", HttpServerResponse.text("hello")), FlameStatus.routes({ path: "/admin/flame" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const routes = (options: RoutesOptions = {}): Layer.Layer<never, never, HttpRouter> =>
  isRunner()
    ? Layer.empty
    : Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("./StatusRoutes.ts")),
          (StatusRoutes) => StatusRoutes.layer({ path: options.path ?? "/flame", actions: options.actions === true })
        )
      )

/**
 * The schema of the status document. `Schema.toJsonSchemaDocument` turns it into JSON Schema, as `GET /schema` does.
 *
 * @since 0.1.0
 * @category status
 */
export const schema: Effect.Effect<typeof DocumentSchema> = Effect.map(
  Effect.promise(() => import("./record/StatusDocument.ts")),
  ({ StatusDocument }) => StatusDocument
)

const isRunner = (): boolean => Role.current()._tag === "Runner"
