/**
 * The addresses on which `FlameStatus.layer` listens. An address that cannot be used causes a warning and never ends
 * the app.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AddressInfo } from "node:net"
import { withConfinedLoggers } from "../error/ConfinedLoggers.ts"
import * as StatusAddress from "./StatusAddress.ts"
import type { StatusApi as Api } from "./StatusApi.ts"
import * as StatusApi from "./StatusApi.ts"
import type { StatusOptions } from "./StatusOptions.ts"
import * as StatusServer from "./StatusServer.ts"

const isInPod = (): boolean => process.env["KUBERNETES_SERVICE_HOST"] !== undefined

export const layer = (options: StatusOptions): Layer.Layer<never> =>
  Layer.effectDiscard(
    withConfinedLoggers(
      Effect.gen(function* () {
        const api = yield* StatusApi.make(options.actions === true)
        const port = options.port ?? (isInPod() ? StatusAddress.port : false)
        if (port !== false) yield* onPort(api, port)
        if (options.socket ?? !isInPod()) yield* onSocket(api)
      })
    )
  )

const onPort = (api: Api, port: number) =>
  StatusServer.listen(api, { port }).pipe(
    Effect.flatMap((server) => {
      const { port } = server.address() as AddressInfo
      return Effect.logInfo(`the status of this process is at http://127.0.0.1:${port}`)
    }),
    Effect.catch((error) =>
      Effect.logWarning(
        `FlameStatus cannot listen on 127.0.0.1:${port}, and shows nothing there: ${error.message}. ` +
          "Another process may have the port: give FlameStatus.layer another `port`, or 0 for a free one"
      )
    )
  )

const onSocket = Effect.fnUntraced(function* (api: Api) {
  yield* StatusServer.removeStale(StatusAddress.sockets())
  const path = StatusAddress.ownSocket()
  if (path === undefined) {
    return yield* Effect.logDebug(
      "FlameStatus has no directory for a unix socket: `effect-flame ps` will not find this parent"
    )
  }
  yield* StatusServer.listen(api, { path }).pipe(
    Effect.catch((error) =>
      Effect.logWarning(
        `FlameStatus cannot listen on ${path}, so that \`effect-flame ps\` does not find it: ${error.message}`
      )
    )
  )
})
