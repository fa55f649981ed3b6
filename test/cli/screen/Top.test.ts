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
  assert.match(screen, /3 boots failed, last 5s ago: ImagePull: no such image/)
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

const failure = { at: now - 5_000, first: now, count: 1, kind: "call" as const, tag: "Refused", message: "" }

it("top names a failure without a message by its tag, and cuts a long message after three lines [C287]", () => {
  const long = { ...failure, function: "charge", message: "word ".repeat(100) }
  const failures = [failure, long]
  const lines = linesOf({ document: Documents.document([Documents.pool({ failures })]) }, 80)
  assert.include(lines, "  1 call failed, 5s ago: Refused")
  const at = lines.findIndex((line) => line.includes("of charge failed"))
  assert.match(lines[at + 2]!, / \.\.\.$/)
  assert.strictEqual(lines[at + 3], "")
})

it("top shows failures and functions above the runners, and runners that do not serve above the others [C287]", () => {
  const boots = [{ runner: "app-9", at: now, outcome: "booting" as const, took: 7_000, steps: [] }]
  const runners = [Documents.runner(), Documents.runner({ id: "app-9", state: "booting", age: undefined, running: [] })]
  const pool = Documents.pool({ boots, failures: [failure], runners })
  const lines = linesOf({ document: Documents.document([pool]) })
  const rows = [/1 call failed/, /FUNCTION/, /RUNNER/, /app-9 +booting +1\/2 +node1 +7s/, /app-1 +ready/]
  const places = rows.map((row) => lines.findIndex((line) => row.test(line)))
  assert.notInclude(places, -1)
  assert.deepStrictEqual(
    places,
    places.toSorted((left, right) => left - right)
  )
})

it("no line of top is wider than a narrow terminal, so the first line stays on the screen [C287]", () => {
  const waits = "a message of the scheduler that goes on and on ".repeat(5)
  const runners = [Documents.runner({ id: "runner-".repeat(9), state: "booting", waitsFor: waits, running: [] })]
  const failures = [{ ...failure, message: waits }]
  const pool = Documents.pool({ pool: "a/pool/with/a/long/name", runners, failures })
  const document = Documents.document([pool])
  const painted = Top.lines([{ ...parent, document }], "namespace shop", now, painter(true), 80)
  const escape = "\u001b"
  const plainOf = (line: string) => line.replaceAll(new RegExp(`${escape}\\[[0-9;]*m`, "g"), "")
  const { lines } = Top.fit(painted, { columns: 80, rows: 24, scroll: 0 }, painter(true))
  assert.lengthOf(lines, 24)
  for (const line of lines) assert.isAtMost(plainOf(line).length, 80)
  for (const line of lines) assert.strictEqual(line.split("[31m").length, line.split("[39m").length - others(line))
})

/** Ends of the looks other than red that share its end. */
const others = (line: string): number => line.split(/\[3[236]m/).length - 1

it("top shows what a boot waits for whole, below its runner [C480]", () => {
  const waitsFor = "0/2 nodes are available: 2 Insufficient memory, and no preemption helps to schedule the pod"
  const runners = [Documents.runner({ state: "booting", age: undefined, running: [], waitsFor })]
  const lines = linesOf({ document: Documents.document([Documents.pool({ runners })]) }, 60)
  const below = lines.slice(lines.findIndex((line) => line.includes("app-1 ")) + 1)
  assert.strictEqual(below.map((line) => line.trim()).join(" "), waitsFor)
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

it("the name of a parent, and why it is silent, are one line each without control characters", () => {
  const lines = linesOf({
    document: undefined,
    name: "a\u001b[2Jb",
    silence: 'no answer: \u001b]0;x\u0007\n  at ["at"]'
  })
  for (const control of ["\u001b", "\u0007", "\n"]) assert.isFalse(lines.some((line) => line.includes(control)))
  assert.match(lines.join("\n"), /^ab {2}no answer: at \["at"\]$/m)
})
