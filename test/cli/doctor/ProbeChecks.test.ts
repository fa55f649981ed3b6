import { assert, describe, it } from "@effect/vitest"
import * as ProbeChecks from "../../../src/cli/doctor/ProbeChecks.ts"
import { ImagePull, ProcessExited, Unschedulable } from "../../../src/error/BootFailure.ts"
import { checkNode } from "../../../src/function/Requirements.ts"
import { ago, now, runner } from "../kit/Objects.ts"

const exited = (stderr: string) => ProbeChecks.failed(new ProcessExited({ code: 1, signal: null, stderr }))

describe("the boot of a probe [C284]", () => {
  it("shows the time of each step, in their order", () => {
    const { line, status } = ProbeChecks.booted({ ready: 900, scheduled: 100, pulled: 600 })
    assert.strictEqual(status, "ok")
    assert.match(line, /booted in 900 ms: scheduled 100 ms, pulled 500 ms, ready 300 ms/)
  })

  it("that is slow names its longest step", () => {
    const { fix, status } = ProbeChecks.booted({ scheduled: 100, pulled: 12_000, ready: 12_100 })
    assert.strictEqual(status, "warn")
    assert.match(fix ?? "", /pulled/)
  })

  it("that fails on an old Node says so, by this library's message or by Node's last line", () => {
    let sentence = ""
    try {
      checkNode("18.20.1")
    } catch (cause) {
      sentence = String(cause)
    }
    const native = "file:///app/main.js:3\nSyntaxError: Unexpected token\n    at x\n\nNode.js v18.20.1\n"
    for (const output of [sentence, native]) {
      const { line, name } = exited(output)
      assert.strictEqual(name, "node")
      assert.match(line, /the image has Node 18\.20\.1/)
    }
    assert.strictEqual(exited("boom\n\nNode.js v24.1.0\n").name, "probe")
  })

  it("whose image cannot be pulled, or that finds no node, has a fix for that cause", () => {
    const image = ProbeChecks.failed(new ImagePull({ image: "x:1", detail: "node1 says ErrImagePull" }))
    assert.strictEqual(image.name, "image")
    assert.match(image.fix ?? "", /push the image/)
    assert.match(ProbeChecks.failed(new Unschedulable({ detail: "no room" })).fix ?? "", /make room/)
  })
})

describe("the clock of a runner's node [C284]", () => {
  const started = (seconds: number) =>
    ProbeChecks.nodeClock(runner({ age: 10, state: { running: { startedAt: ago(seconds) } } }), now)

  it("is right if the container started between the creation of the pod and now", () => {
    assert.deepStrictEqual(
      [9, 5, 0].map((seconds) => started(seconds)[0]!.status),
      ["ok", "ok", "ok"]
    )
  })

  it("is wrong if the container started before or after that time", () => {
    assert.match(started(70)[0]!.line, /1 min or more behind/)
    assert.match(started(-60)[0]!.line, /1 min or more ahead/)
  })
})
