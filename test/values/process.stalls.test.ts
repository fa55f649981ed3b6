import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { slowness } from "../fixtures/slowness.ts"
import { thorough } from "../fixtures/thorough.ts"
import type { Cost } from "./stalls.ts"

const MiB = 1024 * 1024

/** Milliseconds of CPU. The promise is 250 ms on an idle machine; other programs take the processor's caches away. */
const stall = 500

/** Outside of the full run every fourth kind of schema is measured. */
const every = thorough ? 1 : 4

/** The costs that a parent and its runner measure, in processes without other work. */
const costs = async (maxValue: number, ...flags: ReadonlyArray<string>): Promise<ReadonlyArray<Cost>> => {
  const script = fileURLToPath(new URL("stalls.ts", import.meta.url))
  const child = spawn(process.execPath, [...flags, "--disable-warning=ExperimentalWarning", script], {
    env: { ...process.env, FLAME_TEST_MAX_VALUE: String(maxValue), FLAME_TEST_EVERY: String(every) },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const costs: Array<Cost> = []
  for await (const line of createInterface({ input: child.stdout })) costs.push(JSON.parse(line) as Cost)
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once("exit", resolve)))
  assert.strictEqual(code, 0)
  return costs
}

// Each test measures processes of its own, by their CPU time and memory.
describe.concurrent("the largest messages that the limits allow, and those of a peer that breaks the rules,", () => {
  it("stall neither the runner nor its parent, whatever their schema is [C430]", async () => {
    const before = slowness()
    const all = await costs(thorough ? 32 * MiB : 2 * MiB)
    const limit = stall * Math.max(before, slowness())
    assert.isAtLeast(all.length, (2 * 60) / every)
    for (const cost of all) assert.isBelow(cost.longest, limit, JSON.stringify(cost))
    for (const { name, outcome, receiver } of all.filter(({ size }) => size > 0)) {
      assert.strictEqual(outcome, "value", `${name} for the ${receiver}`)
    }
  }, 900_000)

  it("make their receiver allocate at most eight times maxValue, garbage included [C431]", async () => {
    const maxValue = 4 * MiB
    // No scavenge runs between the two readings of a message.
    const all = await costs(maxValue, "--expose-gc", "--min-semi-space-size=128", "--max-semi-space-size=128")
    // The call itself takes some memory.
    for (const cost of all) assert.isBelow(cost.allocated, 8 * maxValue + 2 * MiB, JSON.stringify(cost))
    // Else the garbage collector has run, and nothing was measured.
    assert.isAbove(all.filter(({ allocated }) => allocated > 0).length, all.length * 0.5)
  }, 900_000)
})
