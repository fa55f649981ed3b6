/**
 * Compares the marks of runners with the answers that callers got.
 *
 * A call runs at most once unless it is idempotent. A rejected call has not run. An interruption of a call completes only
 * after the call's finalizers.
 */
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { Fates } from "./Fates.ts"
import type { Ledger } from "./Ledger.ts"

/** A marked call as its caller sees it. */
export interface Told {
  readonly nonce: number
  readonly idempotent: boolean
  /** `cast`: accepted, without an answer. `given up`: the interruption took as long as `cancelGrace`. */
  readonly outcome: "ran" | "not run" | "interrupted" | "given up" | "unknown" | "cast"
  /** The answer as text, for the report. */
  readonly message: string
  /** The time of the answer, by the wall clock. */
  readonly at: number
}

interface Noted {
  began: number
  ended: number
  endedAt: number
  readonly runners: Set<string>
}

export class Marks {
  readonly file = join(mkdtempSync(join(tmpdir(), "soak-")), "marks")
  casts = 0
  castsRun = 0
  private told: Array<Told> = []
  private read = 0
  private readonly handle = openSync(this.file, "a+")
  private readonly ledger: Ledger
  private readonly fates: Fates

  constructor(ledger: Ledger, fates: Fates) {
    this.ledger = ledger
    this.fates = fates
  }

  tell(told: Told): void {
    if (told.outcome === "cast") this.casts++
    this.told.push(told)
  }

  /** Compares both sides. No call may be in flight. */
  check(): void {
    const noted = this.noted()
    for (const told of this.told) {
      const found = noted.get(told.nonce)
      noted.delete(told.nonce)
      if (told.outcome === "cast" && found !== undefined) this.castsRun++
      const problem = this.problemOf(told, found)
      if (problem !== undefined)
        this.ledger.violation(`call ${told.nonce}, ${told.outcome}: ${problem} (${told.message})`)
    }
    for (const nonce of noted.keys()) this.ledger.violation(`call ${nonce} ran when it was over for its caller`)
    this.told = []
  }

  private problemOf({ at, idempotent, outcome }: Told, noted: Noted | undefined): string | undefined {
    const began = noted?.began ?? 0
    if (began > 1 && !idempotent) return `it ran ${began} times`
    if (outcome === "not run") return began > 0 ? "it ran" : undefined
    if (outcome === "ran") {
      if (began === 0) return "it did not run"
      return noted!.ended === 0 ? "its finalizer did not run" : undefined
    }
    if (outcome !== "interrupted" || noted === undefined) return undefined
    if ([...noted.runners].some((runner) => this.fates.isLost(runner))) return undefined
    if (noted.ended < began) return "its finalizer did not run"
    return noted.endedAt > at + 2 ? `its finalizer ended ${noted.endedAt - at} ms after the interruption` : undefined
  }

  private noted(): Map<number, Noted> {
    const { size } = fstatSync(this.handle)
    const bytes = Buffer.alloc(size - this.read)
    readSync(this.handle, bytes, 0, bytes.length, this.read)
    this.read = size
    const noted = new Map<number, Noted>()
    for (const line of bytes.toString("utf8").split("\n")) {
      if (line === "") continue
      const [what, nonce, runner, at] = line.split(" ") as [string, string, string, string]
      const entry = noted.get(Number(nonce)) ?? { began: 0, ended: 0, endedAt: 0, runners: new Set() }
      if (what === "began") entry.began++
      else {
        entry.ended++
        entry.endedAt = Math.max(entry.endedAt, Number(at))
      }
      entry.runners.add(runner)
      noted.set(Number(nonce), entry)
    }
    return noted
  }

  dispose(): void {
    closeSync(this.handle)
    rmSync(dirname(this.file), { recursive: true })
  }
}
