/** The last 8 KiB of an output, kept for the report of a crash. */
import { printable } from "../error/PeerText.ts"

/** How much is kept, in bytes: enough for a fatal error of V8 with its native stack. */
const size = 8 * 1024

/** How many lines of it are told. */
const told = 20

export class OutputTail {
  private kept: Buffer = Buffer.alloc(0)
  private isWhole = true

  push(chunk: Buffer): void {
    this.isWhole &&= this.kept.length + chunk.length <= size
    this.kept = Buffer.concat([this.kept, chunk.subarray(-size)]).subarray(-size)
  }

  /** Whether the kept end contains a text, which may be before the lines that are told. */
  includes(text: string): boolean {
    return this.kept.includes(text)
  }

  /** The last lines, without what could forge a line or rewrite a terminal. */
  text(): string {
    const lines = this.kept.toString("utf8").trimEnd().split("\n")
    // the first one has lost its beginning
    if (!this.isWhole) lines.shift()
    return printable(lines.slice(-told).join("\n"))
  }
}
