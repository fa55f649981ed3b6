/** Cuts server-sent events out of the text of a stream. Pure. */

/** A server-sent event: its name and its data. */
export interface ServerEvent {
  readonly event: string
  readonly data: string
}

/** Reads text in pieces of any size, and returns the events that are complete. */
export class EventReader {
  private rest = ""

  push(text: string): ReadonlyArray<ServerEvent> {
    const blocks = (this.rest + text).replaceAll("\r\n", "\n").split("\n\n")
    this.rest = blocks.pop() ?? ""
    return blocks.flatMap((block) => {
      const lines = block.split("\n")
      const data = fieldOf(lines, "data").join("\n")
      return data === "" ? [] : [{ event: fieldOf(lines, "event").join("") || "message", data }]
    })
  }
}

const fieldOf = (lines: ReadonlyArray<string>, name: string): ReadonlyArray<string> =>
  lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ""))
