import { assert, describe, it } from "@effect/vitest"
import type { Code } from "../../../src/code/PreparedCode.ts"
import * as PodCode from "../../../src/kubernetes/template/PodCode.ts"
import * as PodTemplate from "../../../src/kubernetes/template/PodTemplate.ts"

const code: Code = {
  hash: "a".repeat(64),
  size: 1,
  sent: Buffer.from("x"),
  onDisk: true,
  made: "for a test",
  took: 0,
  variables: ["TOKEN", "PATH", "FLAME_MAX", "REGION", "ABSENT"]
}

const identity = { label: "parent", runners: "pool", secrets: "keys" } as never

describe("the code of runners that are pods", () => {
  it.each([
    ["comes from the parent outside of a cluster without an image", {}, false, {}],
    ["comes from the image in a pod", {}, true, undefined],
    ["comes from the image where one is named", { image: "app:1" }, false, undefined],
    [
      "comes from the image where a manifest names one",
      { manifest: { spec: { containers: [{ image: "app:1" }] } } },
      false,
      undefined
    ],
    ["comes from the image where a command is named", { command: ["node", "main.js"] }, false, undefined],
    ["comes from the parent in a pod that asks for it", { code: "sync" }, true, {}],
    [
      "comes from the parent beside an image",
      { code: { external: ["sharp"] }, image: "app:1" },
      false,
      { external: ["sharp"] }
    ],
    ["comes from the image for a parent that says so", { code: "image" }, false, undefined]
  ] as const)("%s [C270]", (_title, options, isInCluster, expected) => {
    assert.deepStrictEqual(PodCode.choiceOf(options, isInCluster), expected)
  })

  it("runs on the stock image as its user, by the bootstrap, with no reference that the kubelet would resolve [C270]", () => {
    const made = PodCode.withCode({ args: ["--price=$(HOME)"], labels: { a: "b" } }, code, "build", false)
    assert.match(made.image ?? "", /^node:\d+-slim$/)
    assert.deepStrictEqual(made.securityContext, { runAsUser: 1000, runAsGroup: 1000, runAsNonRoot: true })
    assert.deepStrictEqual(made.command, ["node"])
    assert.deepStrictEqual(made.args?.slice(-2), [code.hash, "--price=$$(HOME)"])
    assert.notMatch(made.args?.join("\n").replaceAll("$$", "") ?? "", /\$/)
    assert.deepStrictEqual([made.env, made.annotations], [{ FLAME_BUILD: "build" }, { "flame.dev/code": code.hash }])
  })

  it("keeps an image that is named, its user, and the command that starts Node there", () => {
    const made = PodCode.withCode({ image: "tools:1", command: ["nice", "node"] }, code, "build", false)
    assert.deepStrictEqual([made.image, made.securityContext, made.command], ["tools:1", undefined, ["nice", "node"]])
  })

  it("has a directory under a read-only root, unless it needs none or there is one [C266]", () => {
    const template = (options: Parameters<typeof PodTemplate.make>[0]): PodTemplate.PodTemplate => {
      const made = PodTemplate.make({ image: "app:1", ...options }, undefined, identity)
      return made instanceof Error ? assert.fail(made.message) : made
    }
    const mounts = (made: PodTemplate.PodTemplate) => made.container.volumeMounts?.map(({ mountPath }) => mountPath)
    const readOnly = { securityContext: { readOnlyRootFilesystem: true } }
    const scratch = PodCode.withScratch(template(readOnly), code)
    assert.deepStrictEqual(mounts(scratch), ["/tmp"])
    assert.deepStrictEqual(scratch.spec.volumes, [{ name: "flame-code", emptyDir: {} }])
    assert.isUndefined(mounts(PodCode.withScratch(template(readOnly), { onDisk: false })))
    assert.isUndefined(mounts(PodCode.withScratch(template({}), code)))
    const own = {
      spec: { volumes: [{ name: "t" }], containers: [{ volumeMounts: [{ name: "t", mountPath: "/tmp" }] }] }
    }
    assert.deepStrictEqual(mounts(PodCode.withScratch(template({ ...readOnly, manifest: own }), code)), ["/tmp"])
  })

  it("names variables that runners miss: set here, read by the program, and not passed on", () => {
    const environment = { TOKEN: "1", PATH: "/bin", FLAME_MAX: "3", REGION: "eu" }
    assert.deepStrictEqual(PodCode.missingVariables(code, ["REGION"], environment), ["TOKEN"])
  })
})
