import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { vi } from "vitest"

const program = fileURLToPath(new URL("../../fixtures/conformance-place/mortal.ts", import.meta.url))

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

it("a placed service and its runner end when the owner's process is killed [C35]", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "flame-owner-"))
  const path = join(folder, "pid")
  const owner = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] })
  try {
    const [said] = (await once(owner.stdout, "data")) as [Buffer]
    assert.strictEqual(said.toString().trim(), "placed")
    const runner = Number(readFileSync(path, "utf8"))
    assert.isTrue(lives(runner))
    owner.kill("SIGKILL")
    await vi.waitUntil(() => !lives(runner), { timeout: 60_000 })
    assert.isTrue(existsSync(`${path}.gone`))
  } finally {
    owner.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true })
  }
})
