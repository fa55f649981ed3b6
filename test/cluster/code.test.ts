/** Tests runners of the stock image of Node, whose code comes from their parent: C256, C264–C266, C270, C271. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Flame from "../../src/Flame.ts"
import { BootFailed } from "../../src/error/FlameError.ts"
import { reasonOf } from "../fixtures/conformance-process/harness.ts"
import { environment, feature } from "../fixtures/code/functions.ts"
import { type HostOptions, onHost } from "./kit/HostParent.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { program, serving } from "./kit/SentProgram.ts"

const space = Namespaces.ofFile("code")

const entry = join(import.meta.dirname, "../fixtures/code/runner.ts")

const sync: HostOptions = { code: { entry } }

const names = ["await", "json", "wasm", "import", "worker", "sqlite", "asset", "names"]
const answers = ["top-level await", "json", "wasm 5", "imported later", "worker", "sqlite", "an asset", "Named nameOf"]

describe("a pod of the stock image", () => {
  for (const [way, rights] of [
    ["dials its parent", "full"],
    ["is reached through the API server", "forward"]
  ] as const) {
    it.live(`that ${way} runs the program of its parent, and the hash of the code is reported [C256] [C270]`, () =>
      onHost(space, { ...sync, rights }, ({ events, pool, runners }) =>
        Effect.gen(function* () {
          const all = yield* Effect.forEach(names, (name) => Flame.call(feature, { name }))
          assert.deepStrictEqual(all, answers)
          assert.deepStrictEqual(yield* Flame.call(environment), [])
          const ready = yield* events.nth("RunnerReady")
          assert.match(
            ready.labels["code"] ?? "",
            /^[0-9a-f]{12}, \d+ kB \(\d+ kB compressed\), bundled by rolldown in \d+ ms$/
          )
          assert.containsAllKeys(ready.phases, ["bundled", "created", "started", "connected", "sent", "imported"])
          const [pod] = yield* runners((pods) => pods.length === 1 && pods, "there is one pod")
          const [container] = pod.spec.containers
          assert.match(container.image, /^node:\d+-slim$/)
          const hash: string = pod.metadata.annotations["flame.dev/code"]
          assert.include(container.args, hash)
          assert.isTrue(ready.labels["code"]?.startsWith(hash.slice(0, 12)))
          assert.strictEqual((yield* pool.status).runners[0]?.labels["code"], ready.labels["code"])
        })
      )
    )
  }

  it.live("with a read-only root has a folder for files that are opened by their path [C266]", () =>
    onHost(space, { ...sync, securityContext: { readOnlyRootFilesystem: true } }, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Flame.call(feature, { name: "worker" }), "worker")
        assert.strictEqual(yield* Flame.call(feature, { name: "asset" }), "an asset")
      })
    )
  )

  it.live("with a read-only root and without another volume runs code that opens no file [C266]", () =>
    Effect.gen(function* () {
      const main = yield* program(serving("'in memory'"))
      yield* onHost(
        space,
        { code: { entry: main }, securityContext: { readOnlyRootFilesystem: true } },
        ({ runners }) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* Flame.call(feature, { name: "" }), "in memory")
            const [pod] = yield* runners((pods) => pods.length === 1 && pods, "there is one pod")
            assert.notProperty(pod.spec, "volumes")
          })
      )
    })
  )

  it.live("gets 20 MB of code", () =>
    Effect.gen(function* () {
      const bytes = crypto.getRandomValues(new Uint8Array(65_536))
      const large = Buffer.alloc(20 * 1024 * 1024)
      for (let at = 0; at < large.length; at += bytes.length) large.set(crypto.getRandomValues(bytes), at)
      const main = yield* program(serving("String(statSync(new URL('./large.bin', import.meta.url)).size)"), {
        "large.bin": large
      })
      yield* onHost(space, { code: { entry: main } }, () =>
        Effect.gen(function* () {
          assert.strictEqual(yield* Flame.call(feature, { name: "" }), String(large.length))
        })
      )
    })
  )

  it.live("is one of twenty that boot at once, all with the same code [C271]", () =>
    onHost(space, { ...sync, min: 20, max: 20, awaitMin: true, bootTimeout: "2 minutes" }, ({ pool }) =>
      Effect.gen(function* () {
        const { runners } = yield* pool.status
        assert.lengthOf(runners, 20)
        assert.lengthOf(new Set(runners.map(({ labels }) => labels["code"])), 1)
        assert.lengthOf(new Set(runners.map(({ labels }) => labels["pod"])), 20)
      })
    )
  )

  it.live("gets the code of its own parent, next to a parent with other code [C271]", () =>
    Effect.gen(function* () {
      const one = yield* program(serving("'one'"))
      const two = yield* program(serving("'two'"))
      const answer = (main: string) =>
        onHost(space, { code: { entry: main }, instance: main.slice(-15, -8) }, () => Flame.call(feature, { name: "" }))
      const both = yield* Effect.all([answer(one), answer(two)], { concurrency: 2 })
      assert.deepStrictEqual(both, ["one", "two"])
    })
  )

  const failing = (title: string, text: string, options: HostOptions, tag: string, words: RegExp) =>
    it.live(title, () =>
      Effect.gen(function* () {
        const main = yield* program(text)
        const { code, ...rest } = options
        const all: HostOptions = { ...rest, code: { ...(typeof code === "object" ? code : {}), entry: main } }
        yield* onHost(space, all, () =>
          Effect.gen(function* () {
            const reason = yield* reasonOf(Flame.call(environment))
            assert.instanceOf(reason, BootFailed)
            assert.strictEqual(reason.cause._tag, tag)
            assert.match(reason.cause.message, words)
          })
        )
      })
    )

  failing(
    "that lacks a package of `external` fails its boot with CodeUnresolved [C264]",
    "import 'not-in-the-image'",
    { code: { external: ["not-in-the-image"] } },
    "CodeUnresolved",
    /does not find not-in-the-image/
  )
  failing(
    "with an older Node fails its boot with NodeTooOld [C265]",
    "console.log(1)",
    {
      command: [
        "node",
        '--import=data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.11.1"})'
      ]
    },
    "NodeTooOld",
    /has Node 20\.11\.1/
  )
})
