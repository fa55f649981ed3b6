import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Library from "@kubernetes/client-node"
import * as Sockets from "@kubernetes/client-node/dist/web-socket-handler.js"
import type { ClientLibrary, WebSocketModule } from "../../../src/kubernetes/api/ClientLibrary.ts"
import { ApiServer } from "../kit/ApiServer.ts"
import { Effect } from "effect"

describe("the client library", () => {
  it("has every member that this package uses, as its types say", () => {
    const library: Pick<ClientLibrary, "loadYaml"> = Library
    // A class with private members can only be compared by its instances.
    const config = (config: Library.KubeConfig): InstanceType<ClientLibrary["KubeConfig"]> => config
    assert.isFunction(library.loadYaml)
    assert.instanceOf(config(new Library.KubeConfig()), Library.KubeConfig)
    const sockets: { readonly [Name in keyof WebSocketModule]: unknown } = Sockets
    assert.isFunction(sockets.WebSocketHandler)
  })

  it.live("that is not installed fails with one sentence and the command to install it [C150]", () =>
    Effect.gen(function* () {
      const api = yield* ApiServer.make
      const program = `
        import { registerHooks } from "node:module"
        registerHooks({
          resolve: (specifier, context, next) => {
            if (!specifier.startsWith("@kubernetes/client-node")) return next(specifier, context)
            throw Object.assign(new Error("Cannot find package '@kubernetes/client-node'"), { code: "ERR_MODULE_NOT_FOUND" })
          }
        })
        const { Effect } = await import("effect")
        const { KubeClientLive } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/kubernetes.ts"))})
        const failure = Effect.flip(Effect.scoped(KubeClientLive.make({ kubeconfig: ${JSON.stringify(api.kubeconfig({}))} })))
        console.log((await Effect.runPromise(failure)).message)`
      const said = execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" })
      assert.strictEqual(
        said.trim(),
        "no way to a Kubernetes API server: a kubeconfig and port-forward need the package @kubernetes/client-node, which is not installed: run `npm install @kubernetes/client-node` (a parent inside of the cluster works without it)"
      )
    })
  )
})
