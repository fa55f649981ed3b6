/**
 * Tests the live page in a real browser, on real pools under load. Screenshots are written to `.cache/browser`.
 *
 * Uses the Chromium of `CHROMIUM`, or of the usual paths of Linux packages.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { type Browser, chromium, type Page } from "playwright-core"
import type { StatusDocument } from "../../src/status/record/StatusDocument.ts"
import { hostile } from "./hostile.ts"

const found = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome"
].find((path) => path !== undefined && Fs.existsSync(path))
const pictures = Path.join(import.meta.dirname, "../../.cache/browser")

const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

let browser: Browser
const apps: Array<ChildProcess> = []

/** Starts an app, and returns the address of its page. */
const start = (scenario: string): Promise<{ readonly address: string; readonly app: ChildProcess }> =>
  new Promise((resolve, reject) => {
    const entry = Path.join(import.meta.dirname, "app.ts")
    const app = spawn(process.execPath, ["--conditions=effect-flame-source", entry, scenario], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    apps.push(app)
    let output = ""
    app.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString()
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]
      if (address !== undefined) resolve({ address, app })
    })
    app.once("exit", () => reject(new Error(`the app ended: ${output}`)))
  })

/** Opens a page, and collects its errors, dialogs and console messages. */
const open = async (address: string, look: { readonly dark?: boolean; readonly width?: number } = {}) => {
  const context = await browser.newContext({
    viewport: { width: look.width ?? 1_280, height: 900 },
    colorScheme: look.dark === true ? "dark" : "light"
  })
  const page = await context.newPage()
  const complaints: Array<string> = []
  page.on("pageerror", (error) => complaints.push(error.message))
  page.on("dialog", (dialog) => {
    complaints.push(`dialog ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
  await page.goto(address)
  await page.locator(".pool").first().waitFor()
  return { page, complaints }
}

const documentAt = async (address: string) => (await (await fetch(`${address}/status`)).json()) as StatusDocument

const overflow = (page: Page): Promise<number> =>
  page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

const shot = (page: Page, name: string) => page.screenshot({ path: Path.join(pictures, `${name}.png`), fullPage: true })

/** The number in a tile. */
const tile = async (page: Page, name: string): Promise<number> =>
  Number(
    (
      await page
        .locator(".tile", { has: page.getByText(name, { exact: true }) })
        .locator("b")
        .innerText()
    ).replace(" k", "e3")
  )

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => void setTimeout(resolve, 50))
}

const suite = found === undefined ? describe.skip : describe

suite(
  found === undefined
    ? "the live page (skipped: no Chromium here, set CHROMIUM or install the package chromium)"
    : "the live page",
  () => {
    beforeAll(async () => {
      Fs.mkdirSync(pictures, { recursive: true })
      browser = await chromium.launch({ executablePath: found!, args: quiet })
    })

    afterEach(() => {
      for (const app of apps.splice(0)) app.kill("SIGKILL")
    })

    afterAll(() => browser?.close())

    it("shows a pool under load as its status has it: runners, slots, functions, boots, failures [C310]", async () => {
      const { address } = await start("load")
      const { complaints, page } = await open(address)
      await until(async () => (await tile(page, "runners")) === 2 && (await tile(page, "calls / s")) > 20)
      assert.strictEqual(await page.locator(".runner").count(), 2)
      assert.strictEqual(await page.locator(".runner i").count(), 16)
      assert.isAbove(await page.locator(".runner i.busy").count(), 2)
      assert.strictEqual(await page.locator(".runner i.suspended").count(), 1)
      const row = page.locator("tr", { has: page.getByText("work", { exact: true }) }).first()
      const shown = (await row.locator("td").allInnerTexts()).map((text) => text.trim())
      const [pool] = (await documentAt(address)).pools
      const work = pool!.functions.find(({ name }) => name === "work")!
      assert.isAtMost(Number(shown[1]), work.calls)
      assert.isAbove(Number(shown[1]), 0)
      assert.match(shown[5]!, /\(\d+\.\d %\)/)
      const boots = page.locator(".boot")
      assert.strictEqual(await boots.count(), 2)
      const segments = await boots.first().locator(".track i").all()
      const titles = await Promise.all(segments.map((segment) => segment.getAttribute("title")))
      const steps = titles.map((title) => title?.split(" ")[0])
      assert.includeMembers(steps, ["launched", "importing", "imported", "connected"])
      await until(async () => (await page.locator("svg path").first().getAttribute("d"))!.length > 20)
      await shot(page, "load-light")
      assert.deepStrictEqual(complaints, [])
    })

    it("shows texts of functions and errors as they are, and runs none of them as code [C310]", async () => {
      const { address } = await start("load")
      const { complaints, page } = await open(address)
      await page.getByText(`named${hostile}`, { exact: true }).first().waitFor()
      await page.locator(".fault p", { hasText: `${hostile} failed` }).waitFor()
      assert.strictEqual(await page.locator("img").count(), 0)
      assert.strictEqual(await page.locator("script").count(), 1)
      assert.deepStrictEqual(complaints, [])
    })

    it("fits a narrow screen in the dark scheme, with the calls of the selected runner [C310]", async () => {
      const { address } = await start("load")
      const { complaints, page } = await open(address, { dark: true, width: 390 })
      const back = await page.evaluate("getComputedStyle(document.body).backgroundColor")
      assert.strictEqual(back, "rgb(15, 18, 22)")
      await page.locator(".runner").first().click()
      await page.locator(".one table").waitFor()
      assert.strictEqual(await overflow(page), 0)
      await shot(page, "load-dark-narrow")
      assert.deepStrictEqual(complaints, [])
    })

    it("resizes a pool and drains a runner if actions are allowed [C310]", async () => {
      const { address } = await start("load")
      const { page } = await open(address)
      await until(async () => (await tile(page, "runners")) === 2)
      await page.locator("form input[name=max]").fill("3")
      await page.getByRole("button", { name: "apply" }).click()
      await until(async () => (await documentAt(address)).pools[0]!.max === 3)
      const dialogs: Array<string> = []
      page.removeAllListeners("dialog")
      page.on("dialog", (dialog) => {
        dialogs.push(dialog.message())
        void dialog.accept()
      })
      await page.locator(".runner.ready").last().click()
      await page.getByRole("button", { name: "drain" }).click()
      await until(async () => (await documentAt(address)).pools[0]!.runners.some(({ state }) => state === "draining"))
      assert.lengthOf(dialogs, 1)
    })

    it("shows 200 runners on one screen, and keeps their positions from second to second [C310]", async () => {
      const { address } = await start("many")
      const { complaints, page } = await open(address)
      await until(async () => (await tile(page, "runners")) === 200)
      assert.strictEqual(await page.locator(".runner").count(), 200)
      const strip = (await page.locator(".strips").boundingBox())!
      const last = (await page.locator(".runner").last().boundingBox())!
      assert.isAtMost(last.y + last.height, strip.y + strip.height)
      await page.evaluate("window.first = document.querySelector('.runner'); 0")
      const before = await tile(page, "failed")
      await until(async () => (await tile(page, "failed")) > before)
      assert.isTrue(await page.evaluate("window.first === document.querySelector('.runner')"))
      assert.strictEqual(await overflow(page), 0)
      await shot(page, "many-light")
      assert.deepStrictEqual(complaints, [])
    })

    it("shows at the top why a pool cannot boot, and how many calls wait [C310]", async () => {
      const { address } = await start("failing")
      const { complaints, page } = await open(address)
      await page.locator(".banner", { hasText: "DATABASE_URL is not set" }).waitFor()
      assert.match(await page.locator(".banner b").innerText(), /cannot boot a runner: \d calls wait/)
      assert.isAbove(await page.locator(".track.failed").count(), 0)
      await page.locator(".fault", { hasText: "ProcessExited" }).waitFor()
      await shot(page, "failing-light")
      assert.deepStrictEqual(complaints, [])
    })

    it("shows that there is no runner yet, and that the connection is lost when the app ends [C310]", async () => {
      const { address, app } = await start("empty")
      const { page } = await open(address, { dark: true })
      await page.getByText("No runner. The pool boots one when a call comes.").waitFor()
      await shot(page, "empty-dark")
      app.kill("SIGKILL")
      await page.getByText("no connection, trying again").waitFor()
      assert.strictEqual(await page.locator("main.stale").count(), 1)
    })
  }
)
