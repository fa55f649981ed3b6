import { assert, it } from "@effect/vitest"
import * as Explain from "../../../src/cli/screen/Explain.ts"
import { painter } from "../../../src/cli/screen/Style.ts"
import * as Documents from "../kit/Documents.ts"
import { now } from "../kit/Objects.ts"

const { call } = Documents

const parent = (...calls: ReadonlyArray<ReturnType<typeof call>>) =>
  Documents.parent({ document: Documents.document([Documents.pool({ calls })]) })

it("explain splits the mean time of each function into its parts, the costliest function first [C286]", () => {
  const functions = Explain.functionsOf(
    [
      parent(
        call({ total: 10, queued: 0, carried: 2, ran: 8, function: "small" }),
        call(),
        call({ queued: 30, total: 120 })
      )
    ],
    10
  )
  assert.deepStrictEqual(
    functions.map((each) => [each.function, each.calls, each.mean]),
    [
      ["resize", 2, 110],
      ["small", 1, 10]
    ]
  )
  assert.deepStrictEqual(functions[0]!.shares, { queued: 20, boot: 0, carried: 5, ran: 85, other: 0 })
})

it("explain shows the steps of boots that calls waited for, and the time without a known part [C286]", () => {
  const booted = call({
    total: 1_100,
    queued: 0,
    boot: [
      ["scheduled", 200],
      ["imported", 800]
    ],
    carried: 20,
    ran: 70
  })
  const [times] = Explain.functionsOf([parent(booted, call({ total: 500, queued: 100, outcome: "failed" }))], 10)
  assert.strictEqual(times!.booted, 1)
  assert.strictEqual(times!.failed, 1)
  assert.deepStrictEqual(times!.steps, [
    ["scheduled", 200],
    ["imported", 800]
  ])
  assert.isAbove(times!.shares.other, 0)
  assert.match(
    Explain.screen([times!], painter(false), 200).join("\n"),
    /waited for a boot: scheduled 200 ms, imported 800 ms/
  )
})

it("explain shows the steps of a boot in their order, also after a call that waited for its last steps alone [C286]", () => {
  const late = call({ boot: [["connected", 300]] })
  const whole = call({
    boot: [
      ["launched", 100],
      ["imported", 200],
      ["connected", 300]
    ]
  })
  const [times] = Explain.functionsOf([parent(late, whole)], 10)
  assert.deepStrictEqual(
    times!.steps.map(([name]) => name),
    ["launched", "imported", "connected"]
  )
  for (const line of Explain.screen([times!], painter(false), 72)) assert.isAtMost(line.length, 72)
})

it("explain shows the last calls of all parents together [C286]", () => {
  const old = Documents.parent({ ...parent(call({ at: now - 1_000, function: "old" })), name: "other" })
  assert.deepStrictEqual(
    Explain.functionsOf([old, parent(call(), call())], 2).map(({ calls, function: name }) => [name, calls]),
    [["resize", 2]]
  )
})

it("a bar has its width whatever the shares are", () => {
  for (const shares of [
    [1, 1, 1, 1, 1],
    [0, 0, 0, 1, 0],
    [1e-9, 3, 0.2, 1e9, 0]
  ]) {
    const [queued = 0, boot = 0, carried = 0, ran = 0, other = 0] = shares
    assert.lengthOf(Explain.bar({ queued, boot, carried, ran, other }, painter(false)), 24)
  }
})

it("explain shows the run time of the calls whose runner told it, beside slow calls whose runner was not asked [C286]", () => {
  const { carried: _, ran: __, ...untold } = call({ total: 2_000, queued: 0 })
  const told = call({ total: 2_000, queued: 0, carried: 10, ran: 1_990 })
  const [times] = Explain.functionsOf([parent(told, untold, untold, untold)], 10)
  assert.deepStrictEqual(times!.shares, { queued: 0, boot: 0, carried: 10, ran: 1_990, other: 0 })
})
