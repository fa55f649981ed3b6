import { assert, it } from "@effect/vitest"
import { painter } from "../../../src/cli/screen/Style.ts"
import * as Top from "../../../src/cli/screen/Top.ts"
import * as Documents from "../kit/Documents.ts"
import { now } from "../kit/Objects.ts"

const plain = painter(false)
const parent = { name: "shop-1", document: Documents.document(), runners: [], silence: undefined }
const linesOf = (more: Partial<Top.TopParent> = {}, width = 120) =>
  Top.lines([{ ...parent, ...more }], "namespace shop", now, plain, width)

it("top shows rates, runners with their calls, functions and failures [C287]", () => {
  const failures = [
    { at: now - 5_000, first: now, count: 3, kind: "boot" as const, tag: "ImagePull", message: "no such image" }
  ]
  const screen = linesOf({ document: Documents.document([Documents.pool({ failures })]) }).join("\n")
  assert.match(screen, /1 parent, 1 runner, 5\.0 calls\/s/)
  assert.match(screen, /app {2}1\/4 runners {2}1 busy {2}3 waiting {2}5\.0 calls\/s {2}0\.5 failing\/s/)
  assert.match(screen, /app-1 +ready +1\/2 +node1 +60s +resize 2s/)
  assert.match(screen, /resize +1 +10 +1 +80 ms +200 ms/)
  assert.match(screen, /boot +3 +5s +- +ImagePull: no such image/)
})

it("top shows the runners of a parent that does not answer by their pods, and why [C287]", () => {
  const runner = {
    id: "r",
    pool: "app",
    pod: "p",
    uid: "u",
    life: "l",
    state: "waiting" as const,
    createdAt: now - 9_000
  }
  const silent = { document: undefined, runners: [{ ...runner, detail: "no node has room" }], silence: "no answer" }
  assert.match(linesOf(silent).join("\n"), /shop-1 {2}no answer[^]*r +app +waiting +- +9s +no node has room/)
})

it("no line of top is wider than a narrow terminal, as far as a table can be cut", () => {
  const waits = "a message of the scheduler that goes on and on ".repeat(5)
  const runners = [Documents.runner({ state: "booting", waitsFor: waits, running: [] })]
  const lines = linesOf({ document: Documents.document([Documents.pool({ runners })]) }, 80)
  const row = lines.find((line) => line.includes("app-1"))!
  assert.isAtMost(row.length, 80)
})

it("a screen is as high as the terminal, and scrolls to its last line [C287]", () => {
  const all = ["head", ...Array.from({ length: 50 }, (_, at) => `line ${at}`)]
  const fit = (scroll: number) => Top.fit(all, { columns: 80, rows: 10, scroll }, plain).lines
  assert.lengthOf(fit(0), 10)
  assert.strictEqual(fit(0)[1], "line 0")
  assert.match(fit(0).at(-1)!, /42 lines below/)
  assert.strictEqual(fit(1_000).at(-2), "line 49")
  assert.lengthOf(Top.fit(["head", "one"], { columns: 80, rows: 10, scroll: 3 }, plain).lines, 10)
  assert.strictEqual(Top.fit(all, { columns: 80, rows: 10, scroll: 1_000 }, plain).scroll, 42)
})
