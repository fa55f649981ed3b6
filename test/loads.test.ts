import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { fixture } from "./fixtures/process/kit.ts"

type Loaded = ReadonlyArray<string>

/** The modules of a list that match a pattern. */
const those = (loaded: Loaded, pattern: RegExp): Loaded => loaded.filter((module) => pattern.test(module))

const cluster = /\/kubernetes\/|@kubernetes\//
const network = /^NativeModule (tls|https|http)$|\/wire\/network\//

describe("an app whose runners are child processes", () => {
  let loaded: { readonly parent: Loaded; readonly runner: Loaded }

  beforeAll(async () => {
    const env = { ...process.env, KUBERNETES_SERVICE_HOST: undefined }
    const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(fixture("loads.ts"))], { env })
    loaded = JSON.parse(stdout)
  }, 120_000)

  it("loads no module of Kubernetes and no module of TLS", () => {
    assert.deepStrictEqual(those(loaded.parent, cluster), [])
    assert.deepStrictEqual(those(loaded.parent, network), [])
    assert.isNotEmpty(those(loaded.parent, /\/src\/backend\/ProcessBackend\.ts$/))
    assert.isNotEmpty(those(loaded.parent, /^NativeModule net$/))
  })

  it("loads no module that records or serves the status without a layer of FlameStatus, so none runs in a call [C302]", () => {
    // The declaration of the layer is part of the barrel, and imports the rest when the layer is built.
    const recording = /\/src\/status\/(?!FlameStatus\.ts$)/
    assert.deepStrictEqual(those(loaded.parent, recording), [])
    assert.deepStrictEqual(those(loaded.runner, recording), [])
  })

  it("has runners that load none of these, and of the pool only its key", () => {
    assert.deepStrictEqual(those(loaded.runner, cluster), [])
    assert.deepStrictEqual(those(loaded.runner, network), [])
    assert.isEmpty(those(loaded.runner, /\/src\/(pool\/(PoolLayer|PoolEngine|PoolRuntime)|backend\/\w+Backend)\.ts$/))
    assert.isNotEmpty(those(loaded.runner, /\/src\/runner\/RunnerServer\.ts$/))
  })
})
