/** The books of the soak of placed services: counts, and violations. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

export class PlaceBooks {
  readonly notes = join(mkdtempSync(join(tmpdir(), "soak-place-")), "notes")
  readonly violations: Array<string> = []
  readonly counts = new Map<string, number>()
  /** The ids of runners that were killed, or are about to be. */
  readonly killed = new Set<string>()
  /** The process ids of runners that were killed. */
  readonly killedPids = new Set<number>()

  constructor() {
    writeFileSync(this.notes, "")
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  violation(what: string): void {
    this.violations.push(what)
    if (this.violations.length <= 50) console.error(`VIOLATION: ${what}`)
  }

  get summary(): string {
    return [...this.counts].map(([what, count]) => `${what} ${count}`).join(", ")
  }

  /** Services that were built on a runner which was not killed, and have not ended. */
  get unfinished(): ReadonlyArray<string> {
    const built = new Map<string, number>()
    for (const line of readFileSync(this.notes, "utf8").split("\n")) {
      const [what, name, pid] = line.split(" ")
      if (what === "built") built.set(name!, Number(pid))
      else if (what === "gone" && !built.delete(name!)) this.violation(`service ${name} was gone twice`)
    }
    return [...built].filter(([, pid]) => !this.killedPids.has(pid)).map(([name, pid]) => `${name} on ${pid}`)
  }

  dispose(): void {
    rmSync(dirname(this.notes), { recursive: true })
  }
}
