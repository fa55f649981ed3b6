import { assert, it } from "@effect/vitest"
import type { PoolEngine } from "../../../src/pool/engine/PoolEngine.ts"
import * as PoolRegistry from "../../../src/pool/engine/PoolRegistry.ts"

const pool = (id: string, backend: object): PoolRegistry.RegisteredPool => ({
  engine: { pool: id } as PoolEngine,
  backend,
  castFailed: () => {}
})

it("a function that has two pools of one id gets the pool of its own runner, then one on its backend, then the last [C139]", () => {
  const [local, cluster] = [{}, {}]
  const own = pool("registry/Pool", local)
  const beside = pool("registry/Pool", local)
  const other = pool("registry/Other", cluster)
  const leave = [own, beside, other].map(PoolRegistry.register)
  assert.strictEqual(PoolRegistry.find("registry/Pool", own.engine, local), own)
  assert.strictEqual(PoolRegistry.find("registry/Pool", other.engine, local), beside)
  assert.strictEqual(PoolRegistry.find("registry/Pool", other.engine, cluster), beside)
  leave.forEach((leave) => leave())
  assert.isUndefined(PoolRegistry.find("registry/Pool", own.engine, local))
})
