/** The last 8 KiB of an output, kept for the report of a crash. */
import { printable } from "../error/PeerText.ts"

/** Bytes that are kept: enough for a fatal error of V8 with its native stack. */
const size = 8 * 1024

/** The number of lines in a report. */
export const told = 20

export class OutputTail {
  private kept: Buffer = Buffer.alloc(0)
  private isWhole = true

  push(chunk: Buffer): void {
    this.isWhole &&= this.kept.length + chunk.length <= size
    this.kept = Buffer.concat([this.kept, chunk.subarray(-size)]).subarray(-size)
  }

  /** Whether the kept output contains a text, also before the reported lines. */
  includes(text: string): boolean {
    return this.kept.includes(text)
  }

  /** The last lines, without characters that could forge a line or rewrite a terminal. */
  text(): string {
    const lines = this.kept.toString("utf8").trimEnd().split("\n")
    // The first line may lack its beginning.
    if (!this.isWhole) lines.shift()
    return printable(lines.slice(-told).join("\n"))
  }
}
