import { Layer } from "effect"
import { describe, it } from "vitest"
import { FlameLayer } from "../../../src/index.ts"
import { bundled } from "../../fixtures/bundled.ts"
import { rpcConformance } from "./suite.ts"

const entry = await bundled(new URL("../../fixtures/conformance-rpc/runner.ts", import.meta.url))

rpcConformance("child processes", { describe, it, layer: Layer.orDie(FlameLayer.local({ entry })) })
